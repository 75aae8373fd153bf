"""How far back a trained model remembers: the gradient of its output by earlier input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kseq.errors import DataError, shown
from kseq.estimators.base import Estimator
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.video import VideoPredictor
from kseq.explain import reach_pictures
from kseq.explain.gradients import Differentiable
from kseq.explain.subjects import (
    Row,
    batches,
    check_estimator,
    differentiable,
    evenly,
    recurrent_layers,
    rows_of,
    step_name,
)
from kseq.layers.convolution import MaskedConv1D
from kseq.metrics.evaluation import counted, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EXACT = 16  # outputs up to which each has its own gradient
_ENDS = 8  # steps of a stream at which it is asked


@dataclass(frozen=True)
class Reach:
    """How strongly the output depends on the input k steps back.

    Args:
        norms: The norm of the output's derivative by the input at each lag, `(lags,)`; lag 0 is the
            last step that was read.
        counts: How many sequences are so long, `(lags,)`.
        step: What a step is called: step, token, character or frame.
        exact: Whether each output has its own gradient, or random projections estimate the norm.

    Example:
        >>> found = Reach(np.array([1.0, 0.1, 0.001, 0.002]), np.array([5, 5, 5, 2]))
        >>> found.lag
        2
        >>> print(found)
        reaches 1 step back: from 2 steps back on the input counts less than 1 % of what it does at
        its strongest, the last step
    """

    norms: np.ndarray
    counts: np.ndarray
    step: str = "step"
    exact: bool = True

    @property
    def finite(self) -> bool:
        """Whether all norms are finite; in a network that diverged they are not."""
        return bool(np.isfinite(self.norms).all())

    @property
    def lag(self) -> int | None:
        """The first lag from which on the norm stays below 1 % of its peak; None if it never does.

        0 where the output does not depend on the input at all; None too where a norm is not finite.
        """
        if not self.finite:
            return None
        strong = np.flatnonzero(self.norms >= reach_pictures.SHARE * self.norms.max())
        if not self.norms.any():
            return 0
        after = int(strong[-1]) + 1
        return after if after < len(self.norms) else None

    def __str__(self) -> str:
        if not self.finite:
            return (
                "has a reach that cannot be told: the derivative of its output by its input is not "
                f"finite at {(~np.isfinite(self.norms)).sum():,} of {len(self.norms):,} lags"
            )
        peak = int(self.norms.argmax())
        where = f"the last {self.step}" if peak == 0 else f"{counted(peak, self.step)} back"
        strongest = f"less than 1 % of what it does at its strongest, {where}"
        if not self.norms.any():
            return "does not depend on its input"
        if self.lag is None:
            return (
                f"reaches back further than these sequences: at their longest, {len(self.norms)} "
                f"{self.step}s, the input never counts {strongest}"
            )
        return (
            f"reaches {counted(self.lag - 1, self.step)} back: from {counted(self.lag, self.step)} "
            f"back on the input counts {strongest}"
        )

    @property
    def sample(self) -> str:
        """How many sequences it is of, in words."""
        return counted(int(self.counts.max()), "sequence")

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain values."""
        return {
            "norms": plain(self.norms),  # None where one is not finite
            "counts": self.counts.tolist(),
            "lag": self.lag,
            "step": self.step,
            "exact": self.exact,
            "words": str(self),
        }

    def figure(self) -> Figure:
        """The norm at each lag, on a logarithmic scale.

        Raises:
            MissingExtraError: If matplotlib is not installed.
        """
        return reach_pictures.draw_reach(self)


def reach(
    estimator: Estimator,
    X: Any,
    *,
    streaming: bool = False,
    sequences: int = 32,
    projections: int = 8,
    seed: int = 0,
) -> Reach:
    """How far back a fitted model remembers.

    For each lag k that is the Frobenius norm of d output / d input at step T - k, where T is the
    last step of a sequence: its root mean square over the sequences that are so long. The output is
    the network's raw scores (of targets a time step those of step T; of forecasts and frames ahead
    all of them); the input are the standardised features, of text the embedded tokens, of video
    pixels from 0 to 1.

    What leads past the recurrence, such as the skip of `slstm` or a residual connection, makes the
    last step count the more, and the others the less beside it.

    Up to 16 outputs have a gradient each. More are projected onto random signs v, for which the
    mean of ||Jᵀv||² is ||J||².

    Args:
        estimator: A fitted estimator, trained or loaded.
        X: Sequences that its `predict` takes; of a forecaster series, of which windows are taken.
        streaming: Whether the model is asked while further input arrives: at up to eight steps t of
            each sequence in place of its end alone, from what was read until then. Only for models
            whose every layer reads forwards.
        sequences: How many sequences (of series, windows) are looked at, from the first to the
            last.
        projections: How many projections of more than 16 outputs.
        seed: Of the projections.

    Raises:
        DataError: If X does not hold; or if `streaming` asks a model that reads the future.

    Example:
        >>> from kseq import SequenceClassifier
        >>> X = np.random.default_rng(0).normal(size=(20, 12))
        >>> model = SequenceClassifier(model={"units": 4}, training={"epochs": 1}, random_state=0)
        >>> reach(model.fit(X, X[:, -1] > 0), X).norms.shape
        (12,)

    Reference:
        Pascanu et al. (2013), On the difficulty of training recurrent neural networks.
    """
    check_estimator(estimator)
    for name, value in (("sequences", sequences), ("projections", projections)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise DataError(f"{name}: expected a positive integer, got {shown(value)}")
    if streaming:
        _check_streaming(estimator)
    rows = rows_of(estimator, X, sequences)
    if not streaming:
        return reach_of(estimator, rows, projections=projections, seed=seed)
    read = [row.cut(int(end) + 1) for row in rows for end in evenly(len(row.x), _ENDS)]
    found = reach_of(estimator, read, projections=projections, seed=seed)
    # However often it is asked, a sequence counts once.
    lengths = np.array([len(row.x) for row in rows])
    return replace(found, counts=(lengths[:, None] > np.arange(len(found.norms))).sum(axis=0))


def reach_of(
    estimator: Estimator, rows: Sequence[Row], *, projections: int, seed: int = 0
) -> Reach:
    """The reach over sequences as the network takes them; see `reach`."""
    network = differentiable(estimator)
    rng = np.random.default_rng(seed)
    longest = max(len(row.x) for row in rows)
    squares, counts = np.zeros(longest), np.zeros(longest, int)
    exact = True
    for chosen, inputs in batches(rows, ragged=estimator.spec_.ragged):
        lengths = np.array([len(rows[row].x) for row in chosen])
        found, exact = _squares(
            network, inputs, lengths, estimator.spec_.per_step, projections, rng
        )
        for row, length in enumerate(lengths):
            squares[:length] += found[row, :length][::-1]
            counts[:length] += 1
    # Shown to the network one by one, channels that are independent are sequences of their own.
    return Reach(np.sqrt(squares / counts), counts, step_name(estimator), exact)


def _squares(
    network: Differentiable,
    inputs: list[np.ndarray],
    lengths: np.ndarray,
    per_step: bool,
    projections: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, bool]:
    """Squared norms `(batch, time)` of the last outputs' derivative, and whether they are exact."""
    shape = network(inputs).shape
    outputs = shape[2:] if per_step else shape[1:]
    many = int(np.prod(outputs))
    exact = many <= _EXACT
    found = np.zeros(inputs[0].shape[:2])
    for number in range(many if exact else projections):
        if exact:
            chosen = np.zeros((shape[0], many), np.float32)
            chosen[:, number] = 1
        else:
            chosen = rng.choice(np.array([-1, 1], np.float32), (shape[0], many))
        weights = chosen.reshape(shape[0], *outputs)
        if per_step:
            last = weights
            weights = np.zeros(shape, np.float32)
            weights[np.arange(shape[0]), lengths - 1] = last
        gradient = network.gradient(inputs, weights).astype(np.float64)
        found += (gradient**2).reshape(*found.shape, -1).sum(axis=-1)
    return (found if exact else found / projections), exact


def _check_streaming(estimator: Estimator) -> None:
    """Raises if the model cannot answer before it has seen the future."""
    advice = "leave streaming out for the reach within whole sequences"
    backward = [layer.name for layer, _, way in recurrent_layers(estimator) if way == "backward"]
    if backward:
        raise DataError(
            f"streaming: layer {backward[0]!r} reads backwards too, so that for an answer at step "
            "t it would have to read what comes after t, which a stream has not brought yet: the "
            f"reach of a two-directional model in streaming has no meaning; {advice}, or train "
            "with model.bidirectional false"
        )
    layers = estimator._models.network.layers
    wide = [layer.name for layer in layers if isinstance(layer, MaskedConv1D)]
    if wide:
        raise DataError(
            f"streaming: the filters of {wide[0]!r} span steps on both sides, so that an answer at "
            f"step t needs steps after t, which a stream has not brought yet; {advice}"
        )
    if isinstance(estimator, (Forecaster, VideoPredictor)):
        raise DataError(
            "streaming: this model reads a window of a fixed number of steps anew for each answer, "
            f"so that nothing streams through it; {advice}"
        )


def draw_reaches(reaches: Mapping[str, Reach]) -> Figure:
    """The reach of several models beside each other, on one logarithmic scale.

    Each is divided by its peak, since the scores of different models have no common unit.

    Args:
        reaches: What `reach` gave, by the names to show.

    Raises:
        DataError: If there is nothing to draw.
        MissingExtraError: If matplotlib is not installed.

    Example:
        >>> import matplotlib
        >>> counts = np.full(9, 4)
        >>> fast, slow = Reach(0.1 ** np.arange(9.0), counts), Reach(0.7 ** np.arange(9.0), counts)
        >>> draw_reaches({"rnn": fast, "lstm": slow}).axes[0].get_yscale()
        'log'
    """
    if not reaches:
        raise DataError("reaches: expected at least one, by its name, got none")
    return reach_pictures.draw_reaches(reaches)
