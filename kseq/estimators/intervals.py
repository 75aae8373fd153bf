"""Estimators of numbers that say how far off they may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import keras
import numpy as np

from kseq.errors import ArtefactError
from kseq.estimators.base import Estimator
from kseq.estimators.conformal import Calibration, checked_level, enough, lacking
from kseq.inference import Forward
from kseq.recipe import Recipe

_MOST = 20_000_000  # scores that are looked at; of more, a part of the batches is


class IntervalEstimator(Estimator):
    """Split-conformal prediction intervals from what was held out of the last training.

    A subclass assembles `Models` with `bounded`: the servable model with the outputs `lower` and
    `upper` of a layer `interval`. It is what is served where there are scores enough for the level
    of `interval`; the bounds of any other level are computed from the same scores.
    """

    interval: float | None
    answer: ClassVar[str]  # the output that bounds are around
    _calibration: Calibration | None
    _quietest: np.ndarray | None

    def _fit(self, train: Any, valid: Any, *, apart: bool = False, **how: Any) -> None:
        self._calibration = None  # the weights of its predictions are about to change
        self._set_quietest(None)
        super()._fit(train, valid, **how)
        if valid is None or not apart:
            return
        scores, spreads = zip(*self._held_out_scores(valid), strict=True)
        found = Calibration.of(np.concatenate(scores))
        self._calibration = found
        self._set_quietest(None if spreads[0] is None else np.min(spreads, axis=0))
        level = self.recipe_.task["interval"]
        if found is not None and self._served_bounds(level):
            self._bounded().get_layer("interval").set_radius(found.quantile(level))

    def without_interval(self) -> str:
        """Why the saved model has no bounds; empty where it has, or none were asked for."""
        level = self.recipe_.task["interval"]
        return "" if level is None else lacking(self._calibration, level)

    def _held_out_scores(self, valid: Any) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """How far off the predictions of held-out targets are, in units of their spread.

        Args:
            valid: Batches of inputs, standardised targets and perhaps weights.

        Yields:
            `(n, *cells)`, NaN where a target is absent or does not count; and where there is a
            spread, the least of each target, `(targets,)`.
        """
        mean, scale = self._target_statistics()
        ask = self._asked()
        stride = 1
        for index in range(len(valid)):
            if index % stride:
                continue
            inputs, targets, *weights = valid[index]
            given = inputs if isinstance(inputs, dict) else {"x": inputs}
            found = ask(given)
            least = found["spread"].min(axis=(0, 1)) if "spread" in found else None
            off = np.abs(targets * scale + mean - found[self.answer]) / found.get("spread", 1.0)
            if weights and weights[0] is not None:
                counts = weights[0].reshape(weights[0].shape + (1,) * (off.ndim - weights[0].ndim))
                off = np.where(counts > 0, off, np.nan)
            if not index:
                stride = max(1, -(-off.size * len(valid) // _MOST))
            yield off.reshape(-1, *off.shape[off.ndim - self._axes() :]), least

    def _set_quietest(self, spread: np.ndarray | None) -> None:
        """What bounds are measured in at least: no narrower than for what was held out."""
        self._quietest = spread

    def _target_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """What targets were standardised by."""
        layer = self._models.servable.get_layer(self.answer)
        mean, scale = (keras.ops.convert_to_numpy(w) for w in (layer.mean, layer.scale))
        return mean.astype(np.float64), scale.astype(np.float64)

    def _asked(self) -> Forward:
        """What gives predictions, and perhaps their spread."""
        return self._models.forward

    def _axes(self) -> int:
        """Trailing axes of a prediction that have scores of their own."""
        return int(self._bounded().get_layer("interval").axes)

    def _bounded(self) -> keras.Model:
        assert self._models.bounded is not None
        return self._models.bounded

    def _served_bounds(self, level: float | None) -> bool:
        found = getattr(self, "_calibration", None)
        return level is not None and found is not None and found.holds(level)

    def _finished(self) -> keras.Model:
        if self._served_bounds(self.recipe_.task["interval"]):
            return self._bounded()
        return super()._finished()

    def _radius(self, level: Any) -> np.ndarray:
        """How far the bounds of a level are from a prediction, in units of its spread.

        Raises:
            DataError: If it is no level, or nothing or too little was held out.
        """
        level = checked_level(level)
        return enough(self._calibration, level).quantile(level)

    def _margin(
        self, truth: np.ndarray, prediction: np.ndarray, spread: Any = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """How far the bounds of `interval` are from predictions, and what level holds the truth.

        Args:
            truth: `(n, *cells)`.
            prediction: `(n, *cells)`.
            spread: What fits them.

        Returns:
            The margins, and what a level must be above for its bounds to hold the truth; NaN
            where there are no bounds.
        """
        level = self.recipe_.task["interval"]
        nothing = np.full(np.shape(prediction), np.nan)
        if not self._served_bounds(level):
            return nothing, nothing
        calibration = enough(self._calibration, level)
        margin = np.broadcast_to(spread * calibration.quantile(level), nothing.shape)
        return margin, calibration.levels(np.abs(truth - prediction) / spread)

    def _arrays(self) -> dict[str, np.ndarray]:
        found = super()._arrays()
        if self._calibration is not None:
            found["_interval_scores"] = self._calibration.scores
            found["_interval_counts"] = self._calibration.counts
            if self._quietest is not None:
                found["_interval_quietest"] = self._quietest
        return found

    def _restore(
        self, recipe: Recipe, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        # First of all: it says which model the weights are of.
        self._calibration = None
        scores, counts = arrays.get("_interval_scores"), arrays.get("_interval_counts")
        if scores is not None and counts is not None:
            if scores.shape[1:] != counts.shape or not counts.size or counts.min() < 1:
                raise ArtefactError(
                    f"the interval's scores {scores.shape} do not fit their counts {counts.shape}"
                )
            self._calibration = Calibration(scores, counts)
        super()._restore(recipe, preprocessing, arrays)
        quietest = arrays.get("_interval_quietest")
        if quietest is not None and (
            counts is None or quietest.shape != counts.shape[-1:] or not (quietest > 0).all()
        ):
            raise ArtefactError(f"the interval's least spread, {quietest}, fits no window")
        self._set_quietest(quietest)
