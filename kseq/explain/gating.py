"""What the gates of recurrent layers do over the steps of one sequence.

The layers tell their outputs alone. So their equations are computed once more, in NumPy and
float64, from their weights and what they read, and the outputs are compared with the layers' own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
from keras import ops

from kseq.errors import DataError, shown
from kseq.estimators.base import Estimator
from kseq.estimators.video import VideoPredictor
from kseq.explain import gate_pictures
from kseq.explain.equations import recompute
from kseq.explain.subjects import (
    Direction,
    Row,
    check_estimator,
    embedded,
    once,
    one_row,
    recurrent_layers,
    step_name,
    together,
)
from kseq.layers.shuffle import DimensionShuffle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of the largest output: what each precision may lose over many steps.
_TOLERANCES = {"float16": 1e-2, "bfloat16": 5e-2}
_TOLERANCE = 1e-3
_INSTEAD = "kseq.explain.reach and kseq.explain.attribute explain it"


@dataclass(frozen=True)
class LayerGates:
    """One direction of one recurrent layer; steps stand in the order of the sequence.

    Args:
        name: The layer's name in the network.
        direction: Whether it reads `forward` or `backward`.
        values: By name, each `(time, units)`: of an LSTM the gates `input`, `forget` and `output`,
            the `candidate` and the `cell` state, and `hidden`, what the layer gives; of a GRU the
            gates `update` and `reset`, the `candidate` and `hidden`.
        error: The largest difference of what the layer itself gave.
    """

    name: str
    direction: Direction
    values: dict[str, np.ndarray]
    error: float

    @property
    def label(self) -> str:
        """The name, with the direction of a layer that has two."""
        return f"{self.name}, {self.direction}"


@dataclass(frozen=True)
class Gates:
    """The gates of a network's recurrent layers over one sequence.

    Args:
        layers: Those that have gates, from the input up; forward before backward.
        step: What a step is called: step, token or character.
        tokens: Of text, the tokens.
    """

    layers: list[LayerGates]
    step: str = "step"
    tokens: list[str] | None = None

    def layer(self, name: str | None = None, direction: Direction | None = None) -> LayerGates:
        """One direction of a layer.

        Args:
            name: The layer; the first one by default.
            direction: Which one; the first it has by default.

        Raises:
            DataError: If there is none.
        """
        for each in self.layers:
            if name in (None, each.name) and direction in (None, each.direction):
                return each
        known = "; ".join(each.label for each in self.layers)
        wanted = ", ".join(each for each in (name, direction) if each)
        raise DataError(f"layer: expected one of {known}; got {wanted}")

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain values."""
        return {
            "layers": [
                {
                    "name": each.name,
                    "direction": each.direction,
                    "values": {name: value.tolist() for name, value in each.values.items()},
                    "error": each.error,
                }
                for each in self.layers
            ],
            "step": self.step,
            "tokens": self.tokens,
        }

    def figure(
        self,
        name: str | None = None,
        direction: Direction | None = None,
        *,
        kind: Literal["map", "bands"] = "map",
    ) -> Figure:
        """One direction of a layer, a panel for each gate and state.

        Args:
            name: The layer; the first one by default.
            direction: Which one; the first it has by default.
            kind: `map`, each unit a row, those alike beside each other; or `bands`, the mean of the
                units within the range of their middle half and of nine in ten.

        Raises:
            DataError: If there is no such layer or kind.
            MissingExtraError: If matplotlib is not installed.
        """
        if kind not in ("map", "bands"):
            raise DataError(f"kind: expected 'map' or 'bands', got {shown(kind)}")
        return gate_pictures.draw_gates(self, self.layer(name, direction), kind)


def gates(estimator: Estimator, sequence: Any) -> Gates:
    """What the gates of a fitted model do over the steps of one sequence.

    Args:
        estimator: A fitted estimator, trained or loaded, with cells `gru`, `lstm` or `slstm`.
        sequence: One sequence: `(time, features)` or `(time,)` numbers; a string or a list of
            tokens; of a forecaster a series, of which the last window is taken.

    Raises:
        DataError: If the model has no gates to look into, or the sequence does not hold.

    Example:
        >>> from kseq import SequenceClassifier
        >>> X = np.random.default_rng(0).normal(size=(20, 12))
        >>> model = SequenceClassifier(model={"units": 4}, training={"epochs": 1}, random_state=0)
        >>> found = gates(model.fit(X, X[:, -1] > 0), X[0])
        >>> found.layer("lstm_1").values["forget"].shape  # (time, units)
        (12, 4)

    Reference:
        Karpathy et al. (2016), Visualizing and understanding recurrent networks.
    """
    check_estimator(estimator)
    gated = _gated(estimator)
    row = one_row(estimator, sequence)
    layers = [
        _checked(outer, inner, direction, *read)
        for (outer, inner, direction), read in zip(gated, _seen(estimator, row, gated), strict=True)
    ]
    tokens = _tokens(estimator, sequence)
    steps = {len(each.values["hidden"]) for each in layers}
    if any(isinstance(each, DimensionShuffle) for each in estimator._models.network.layers):
        return Gates(layers, "feature")
    same = tokens is not None and steps == {len(tokens)}
    return Gates(layers, step_name(estimator), tokens if same else None)


def gated_layers(estimator: Estimator) -> list[tuple[Any, Any, Direction]]:
    """The recurrent layers that have gates, as `recurrent_layers` gives them."""
    kinds = (keras.layers.LSTMCell, keras.layers.GRUCell)
    every = recurrent_layers(estimator)
    return [each for each in every if isinstance(getattr(each[1], "cell", None), kinds)]


def _seen(
    estimator: Estimator, row: Row, gated: list[tuple[Any, Any, Direction]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """What each layer reads, `(time, features)`, and what it gives."""
    network = estimator._models.network
    inputs = [embedded(estimator), *(t for t in network.inputs if t.name in ("lengths", "future"))]
    given = together([row])
    pairs: list[tuple[int, int]] = []
    wanted: dict[int, Any] = {}
    for outer, _, _ in gated:  # a mask may be among the inputs
        read = outer.input[0] if isinstance(outer.input, list) else outer.input
        pairs.append((id(read), id(outer.output)))
        wanted |= {id(each): each for each in (read, outer.output) if each is not inputs[0]}
    model = once(estimator, "gated", lambda: keras.Model(inputs, list(wanted.values())))
    tensors = [
        ops.convert_to_tensor(array, tensor.dtype)
        for array, tensor in zip(given, inputs, strict=True)
    ]
    found = {id(inputs[0]): given[0][0]}
    given_back = keras.tree.flatten(model(tensors, training=False))
    for key, each in zip(wanted, given_back, strict=True):
        found[key] = ops.convert_to_numpy(each)[0]
    return [(found[read], found[gave]) for read, gave in pairs]


def _tokens(estimator: Estimator, sequence: Any) -> list[str] | None:
    if not estimator.spec_.streams:
        return None
    found: list[str] = estimator._parts([sequence]).tokens[0]
    return found


def _gated(estimator: Estimator) -> list[tuple[Any, Any, Direction]]:
    """The layers with gates.

    Raises:
        DataError: If there are none, with what can be looked at instead.
    """
    if estimator.spec_.frame:
        instead = "kseq.explain.reach" if isinstance(estimator, VideoPredictor) else "its reach"
        raise DataError(
            "gates: the layers of this model are convolutional LSTMs, whose gates are whole maps, "
            "one for each pixel, and no units that could be followed over time; "
            f"{instead} says how many frames back it remembers, and kseq.explain.attribute which "
            "pixels count"
        )
    found = gated_layers(estimator)
    if found:
        return found
    every = recurrent_layers(estimator)
    if not every:
        raise DataError(
            f"gates: the model of builder {estimator.recipe_.model['builder']!r} has no recurrent "
            f"layer; {_INSTEAD}"
        )
    raise DataError(
        f"gates: layer {every[0][0].name!r} is a plain recurrent layer (cell rnn), which has no "
        f"gates; train with model.cell gru, lstm or slstm, or {_INSTEAD}"
    )


def _checked(
    outer: Any, layer: Any, direction: Direction, x: np.ndarray, own: np.ndarray
) -> LayerGates:
    """The gates of one direction, whose outputs have to be the layer's own.

    Raises:
        AssertionError: If they are not: the equations here would not be those of the layer.
    """
    backward = direction == "backward"
    values = recompute(layer.cell, x[::-1] if backward else x)
    if backward:
        values = {name: value[::-1].copy() for name, value in values.items()}
    units = layer.cell.units
    if outer is not layer:  # both directions side by side
        own = own[..., units:] if backward else own[..., :units]
    hidden, own = values["hidden"], own.astype(np.float64)
    if own.ndim == 1:
        hidden = hidden[0] if backward else hidden[-1]
    elif backward and outer is layer:  # alone, it gives its steps as it reads them
        hidden = hidden[::-1]
    error = float(np.abs(hidden - own).max(initial=0.0))
    tolerance = _TOLERANCES.get(layer.compute_dtype, _TOLERANCE)
    if not error <= tolerance * max(1.0, float(np.abs(own).max(initial=0.0))):
        raise AssertionError(
            f"layer {outer.name!r}, {direction}: the gates computed from its weights give an "
            f"output that differs by {error:.3g} from its own; this is a defect of kseq"
        )
    return LayerGates(outer.name, direction, values, error)
