"""What is explained: the network of a fitted estimator, and sequences as it is shown them.

Of numbers that are the standardised features, of text its embedded tokens, of video the frames
with pixels from 0 to 1; of forecasts the windows with their level taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import keras
import numpy as np
from keras import ops
from sklearn.utils.validation import check_is_fitted

from kseq.data.series import as_series, fill_forward
from kseq.data.windows import origins
from kseq.errors import DataError, DataTypeError, shown
from kseq.estimators.base import Estimator
from kseq.estimators.forecast_network import network_inputs
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.supervised import SupervisedEstimator
from kseq.estimators.video import VideoPredictor
from kseq.explain.gradients import Differentiable
from kseq.layers.recurrent import Recurrence

Direction = Literal["forward", "backward"]
Made = TypeVar("Made")
_STEPS = 8192  # that are worked on together, padding included
_PIXELS = 2**20  # or of clips so many pixels


@dataclass(frozen=True)
class Row:
    """One sequence as a network takes it.

    Args:
        x: `(time, features)`, or of clips `(time, ..., channels)`.
        others: What else the network takes: its length, covariates or frames ahead.
    """

    x: np.ndarray
    others: tuple[Any, ...] = ()

    def cut(self, steps: int) -> Row:
        """The first steps alone."""
        lengths = tuple(np.int32(steps) if each.ndim == 0 else each for each in self.others)
        return Row(self.x[:steps], lengths)


def check_estimator(estimator: Any) -> Estimator:
    """The estimator, if it is a fitted one.

    Raises:
        DataTypeError: If it is no estimator of kseq.
        NotFittedError: If it is not fitted.
    """
    if not isinstance(estimator, Estimator):
        raise DataTypeError(
            f"estimator: expected a fitted estimator of kseq, got {shown(estimator)}; a saved "
            "model is read by kseq.load"
        )
    check_is_fitted(estimator)
    return estimator


def differentiable(estimator: Estimator, head: str = "tags") -> Differentiable:
    """The network from what it is shown to its raw scores.

    Args:
        estimator: A fitted estimator.
        head: Which scores, of a network with tags and labels.
    """
    network = estimator._models.network

    def make() -> Differentiable:
        scores = network.output[head] if isinstance(network.output, dict) else network.output
        others = [each for each in network.inputs if each.name in ("lengths", "future")]
        return Differentiable(keras.Model([embedded(estimator), *others], scores))

    return once(estimator, f"differentiable {head}", make)


def once(estimator: Estimator, what: str, make: Callable[[], Made]) -> Made:
    """What is made of an estimator's models, made once: Keras keeps some memory of every model."""
    derived = estimator._models.derived
    if what not in derived:
        derived[what] = make()
    found: Made = derived[what]
    return found


def embedded(estimator: Estimator) -> Any:
    """The tensor of the network that holds the features: the input `x`, or the embedded tokens."""
    network, streams = estimator._models.network, sorted(estimator.spec_.streams)
    if not streams:
        (x,) = (each for each in network.inputs if each.name == "x")
        return x
    if len(streams) > 1:
        return network.get_layer("tokens").output
    names = {layer.name for layer in network.layers}
    (only,) = streams
    # As `text_embedding` names them.
    kinds = [f"{only}_flat", f"{only}_embedding", "character_cnn", "character_lstm"]
    return network.get_layer(next(name for name in kinds if name in names)).output


def stream_widths(estimator: Estimator) -> dict[str, int]:
    """The features that each stream of text has in the embedding, in their order."""
    network, streams = estimator._models.network, sorted(estimator.spec_.streams)
    if len(streams) == 1:
        return {streams[0]: int(embedded(estimator).shape[-1])}
    parts = network.get_layer("tokens").input
    return {name: int(part.shape[-1]) for name, part in zip(streams, parts, strict=True)}


def recurrent_layers(estimator: Estimator) -> list[tuple[Any, Any, Direction]]:
    """The recurrent layers of a network.

    Returns:
        For each direction of each: the layer as it stands in the network, the one that does the
        work, and `forward` or `backward`.
    """
    found: list[tuple[Any, Any, Direction]] = []
    for layer in estimator._models.network.layers:
        if isinstance(layer, keras.layers.Bidirectional):
            found.append((layer, layer.forward_layer, "forward"))
            found.append((layer, layer.backward_layer, "backward"))
        elif isinstance(layer, (Recurrence, keras.layers.RNN)):
            found.append((layer, layer, "backward" if layer.go_backwards else "forward"))
    return found


def step_name(estimator: Estimator) -> str:
    """What a time step is called."""
    if estimator.spec_.streams:
        letters = estimator.vocabulary_.options.tokenizer == "characters"
        return "character" if letters else "token"
    return "frame" if estimator.spec_.frame else "step"


# --- sequences as a network is shown them ---


def rows_of(estimator: Estimator, X: Any, most: int | None = None) -> list[Row]:
    """Sequences as the network takes them, empty ones left out.

    Args:
        estimator: A fitted estimator.
        X: What its `predict` takes; of a forecaster series, of which windows are taken.
        most: How many, from the first to the last; None for all.

    Raises:
        DataError: If X does not hold, or nothing in it is long enough.
    """
    if isinstance(estimator, Forecaster):
        return _of_windows(estimator, *windows_of(estimator, X, most))
    if isinstance(estimator, VideoPredictor):
        frames = frames_of(estimator, X, most)
        ahead = (estimator.recipe_.task["horizon"], *estimator.form_.shape)
        return [Row(each, (np.zeros(ahead, np.float32),)) for each in frames]
    assert isinstance(estimator, SupervisedEstimator)
    X, _, _ = estimator._read(X)
    parts = estimator._parts(X)
    some = np.flatnonzero(parts.lengths)
    if not len(some):
        raise DataError("X: there is no token in it")
    sequences = estimator._encode(parts.take(some[evenly(len(some), most)]))
    embed = None
    if estimator.spec_.streams:
        network = estimator._models.network
        streams = [each for each in network.inputs if each.name in estimator.spec_.streams]
        embed = once(
            estimator,
            "embedding",
            lambda: Differentiable(keras.Model(streams, embedded(estimator))),
        )
    else:
        scale = estimator._models.servable.get_layer("standardize")
    found: list[Row] = [Row(np.empty(0))] * len(sequences)
    for rows in estimator._chunks(sequences.lengths):
        inputs = sequences.inputs(rows)
        if embed is None:
            x = ops.convert_to_numpy(scale(ops.convert_to_tensor(inputs["x"])))
        else:
            x = embed([inputs[each.name] for each in embed.model.inputs])
        for place, row in enumerate(rows):
            length = int(sequences.lengths[row])
            others = (np.int32(length),) if estimator.spec_.ragged else ()
            found[row] = Row(x[place, :length], others)
    return found


def one_row(estimator: Estimator, sequence: Any) -> Row:
    """One sequence as the network takes it; of a series the last window, of its first target.

    Raises:
        DataError: If it does not hold.
    """
    check_one(estimator, sequence)
    if not isinstance(estimator, Forecaster):
        return rows_of(estimator, [sequence])[0]
    x, future = windows_of(estimator, [sequence], 2)  # the first one and the last
    return _of_windows(estimator, x[-1:], None if future is None else future[-1:])[0]


def check_one(estimator: Estimator, sequence: Any) -> None:
    """Raises if this is not one sequence, but several.

    Raises:
        DataError: If so.
    """
    many = "an array of several"
    if estimator.spec_.streams:
        one = isinstance(sequence, str) or all(isinstance(each, str) for each in sequence)
        many = "a list of several"
    else:
        axes = 2 + (len(estimator.spec_.frame) or 0)
        one = getattr(sequence, "ndim", 0) <= axes
        flat = estimator.spec_.features == 1 and not estimator.spec_.frame
        if getattr(sequence, "ndim", 0) == 2 and flat:
            one = sequence.shape[1] == 1 or isinstance(estimator, Forecaster)  # not rows (n, time)
    if not one:
        raise DataError(f"item: expected one sequence, got {many}; pass one of them, such as X[0]")


def _of_windows(estimator: Forecaster, x: np.ndarray, future: np.ndarray | None) -> list[Row]:
    task, known = estimator.recipe_.task, None
    layer = estimator._models.servable.get_layer
    scaled = layer("standardize")(ops.convert_to_tensor(x))
    if future is not None:
        known = layer("standardize_future")(ops.convert_to_tensor(future))
    given, _ = network_inputs(scaled, known, len(estimator.targets_), task)
    arrays = given if isinstance(given, dict) else {"x": given}
    arrays = {name: ops.convert_to_numpy(each) for name, each in arrays.items()}
    ahead = arrays.get("future")
    return [
        Row(each, () if ahead is None else (ahead[row],)) for row, each in enumerate(arrays["x"])
    ]


def windows_of(
    estimator: Forecaster, X: Any, most: int | None = None, *, ahead: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """Windows of series in their own units, gaps filled, and the covariates known ahead of them.

    Args:
        estimator: A fitted forecaster.
        X: Series.
        most: How many windows, from the first to the last; None for all.
        ahead: Whether covariates that are known ahead are taken from the series too.

    Returns:
        `(n, window, columns)`, and `(n, horizon, covariates)` where there are such.

    Raises:
        DataError: If no series is long enough.
    """
    window, horizon = estimator.recipe_.task["window"], estimator.recipe_.task["horizon"]
    count = len(estimator.columns_.future) if ahead else 0
    more = horizon if count else 0
    given, _ = as_series(X, "X")
    rows = [estimator.columns_.values(one, f"X[{i}]") for i, one in enumerate(given)]
    every = [(row, int(end)) for row in rows for end in origins(len(row), window, more)]
    if not every:
        need = f"{window} rows" + (f" and {more} more with covariates" if more else "")
        raise DataError(
            f"X: its longest series has {max(map(len, rows))} rows, but a window takes {need}"
        )
    mean = fallback(estimator)
    chosen = [every[place] for place in evenly(len(every), most)]
    x = np.stack([fill_forward(row[end - window : end], mean) for row, end in chosen])
    if not count:
        return x.astype(np.float32), None
    known = [fill_forward(row[end : end + more, -count:], mean[-count:]) for row, end in chosen]
    return x.astype(np.float32), np.stack(known).astype(np.float32)


def fallback(estimator: Forecaster) -> np.ndarray:
    """The training means of a forecaster's columns, `(columns,)`."""
    found: np.ndarray = ops.convert_to_numpy(estimator._models.servable.get_layer("fill").fallback)
    return found


def frames_of(estimator: VideoPredictor, X: Any, most: int | None = None) -> np.ndarray:
    """The last frames of clips, `(n, window, ..., channels)`, pixels from 0 to 1."""
    clips = estimator._checked(X, estimator.recipe_.task["window"], "X")
    rows = evenly(len(clips), most)
    ends = np.stack([rows, clips.lengths[rows]], axis=1)
    frames = np.concatenate(list(estimator._windows(clips, ends, horizon=0, steps=0)))
    return (frames / np.float32(estimator.form_.maximum)).astype(np.float32)


def evenly(count: int, most: int | None) -> np.ndarray:
    """Places of the first, the last and some between."""
    if most is None or count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))


def batches(rows: Sequence[Row], *, ragged: bool) -> Iterator[tuple[list[int], list[np.ndarray]]]:
    """Rows of similar length, or of equal length, together.

    Args:
        rows: Sequences.
        ragged: Whether the network takes lengths, so that padding is told from steps.

    Yields:
        Which rows, and the network's inputs.
    """
    order = sorted(range(len(rows)), key=lambda row: len(rows[row].x))
    chunk: list[int] = []
    for row in order:
        length = len(rows[row].x)
        other = bool(chunk) and not ragged and len(rows[chunk[-1]].x) != length
        if chunk and (other or (len(chunk) + 1) * length > most_steps(rows[row].x)):
            yield chunk, together([rows[each] for each in chunk])
            chunk = []
        chunk.append(row)
    yield chunk, together([rows[each] for each in chunk])


def most_steps(x: np.ndarray) -> int:
    """How many steps like those of x are worked on together."""
    return _STEPS if x.ndim == 2 else max(1, _PIXELS // int(np.prod(x.shape[1:])))


def together(rows: Sequence[Row]) -> list[np.ndarray]:
    """The inputs of a network, batch first, with zeros after each end."""
    longest = max(len(row.x) for row in rows)
    x = np.zeros((len(rows), longest, *rows[0].x.shape[1:]), np.float32)
    for place, row in zip(x, rows, strict=True):
        place[: len(row.x)] = row.x
    return [x, *(np.stack(each) for each in zip(*(row.others for row in rows), strict=True))]
