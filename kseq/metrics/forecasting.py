"""Scores of forecasts, every row on the same pairs of truth and forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kseq.errors import DataError
from kseq.metrics.evaluation import Evaluation, counted
from kseq.metrics.regression import CONSTANT, average, pointwise


def smape(truth: Any, forecast: Any) -> float:
    """Symmetric mean absolute percentage error, in per cent from 0 to 200.

    The mean of 200 |y - f| / (|y| + |f|) over all pairs, where 0/0 counts 0.

    Reference:
        Makridakis, Spiliotis, Assimakopoulos (2020), The M4 Competition: 100,000 time series and
        61 forecasting methods, equation for sMAPE.

    Example:
        >>> smape([1.0, 0.0], [3.0, 0.0])
        50.0
    """
    true, answer = _pair(truth, forecast)
    size = np.abs(true) + np.abs(answer)
    # 0/0: truth and forecast agree. NaN stays NaN.
    shares = np.divide(np.abs(true - answer), size, out=np.zeros_like(size), where=size != 0)
    return float(200.0 * np.mean(shares)) if true.size else math.nan


def mase(truth: Any, forecast: Any, scale: Any) -> float:
    """Mean absolute scaled error: below 1 is better than the naive forecast in training.

    The mean of |y - f| / scale over all pairs; NaN where a scale is 0.

    Args:
        truth: True values, any shape, the targets last.
        forecast: The same shape.
        scale: The in-sample mean absolute error of the naive forecast, a number or `(targets,)`;
            see `naive_scale`.

    Reference:
        Hyndman, Koehler (2006), Another look at measures of forecast accuracy.

    Example:
        >>> mase([1.0, 2.0], [2.0, 4.0], scale=0.5)
        3.0
    """
    true, answer = _pair(truth, forecast)
    unit = np.asarray(scale, dtype=np.float64)
    if not true.size or not (unit > 0).all():
        return math.nan
    return float(np.mean(np.abs(true - answer) / unit))


def naive_scale(series: Any, *, season: int = 1) -> np.ndarray:
    """The in-sample mean absolute error of the (seasonal) naive forecast, which `mase` divides by.

    Args:
        series: Training values `(time, targets)` with NaN = missing, or a list of such arrays.
        season: Steps between a value and its naive forecast.

    Returns:
        `(targets,)`; NaN for a target that has no two values a season apart.

    Example:
        >>> naive_scale(np.array([[1.0], [2.0], [4.0]]))
        array([1.5])
    """
    parts = series if isinstance(series, list) else [series]
    steps = [np.abs(np.subtract(part[season:], part[:-season])) for part in parts]
    change = np.concatenate(steps)
    count = np.isfinite(change).sum(axis=0)
    total = np.where(np.isfinite(change), change, 0.0).sum(axis=0)
    scale: np.ndarray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return scale


def evaluate_forecast(
    truth: Any,
    forecast: Any,
    baselines: Mapping[str, Any],
    *,
    scale: Any,
    deviation: Any,
    targets: Sequence[str],
) -> Evaluation:
    """Compares forecasts with what came.

    `mae` (primary), `mse`, `rmse`, `r2` (1 - MSE / variance of the truth), `smape`, `mase`, and
    `mse_standardised`, `mae_standardised`: the errors of values scaled by the training mean and
    standard deviation, as figures on the ETT data are published. With several targets each metric
    is computed for each target over windows and lead times and averaged over them.

    A pair is left out of every row where the truth or a baseline has no value, so that all rows
    compare the same pairs; a baseline without a single value is left out itself. The notes count
    both. A model that answers with NaN is not helped so: its metrics are undefined.

    Args:
        truth: `(windows, horizon, targets)`, NaN where nothing was observed.
        forecast: The same shape.
        baselines: Forecasts of the same shape by name, NaN where there is none.
        scale: `(targets,)` in-sample mean absolute error of the naive forecast (`naive_scale`).
        deviation: `(targets,)` standard deviation of the training values (population, ddof = 0).
        targets: Names of the targets.

    Raises:
        DataError: If the shapes don't fit.

    Reference:
        Zhou et al. (2021), Informer (the ETT data and their standardised errors).

    Example:
        >>> y = np.array([[[1.0], [2.0]]])  # one window, two steps, one target
        >>> scored = evaluate_forecast(
        ...     y, y + 0.5, {"persistence": y - 1.0}, scale=[0.5], deviation=[2.0], targets=["OT"]
        ... )
        >>> scored.metrics["mae"], scored.metrics["mase"], scored.metrics["mae_standardised"]
        (0.5, 1.0, 0.25)
        >>> scored.by_step
        {'model': [0.5, 0.5], 'persistence': [1.0, 1.0]}
    """
    true = np.asarray(truth, dtype=np.float64)
    rows = {"model": np.asarray(forecast, dtype=np.float64)}
    rows |= {name: np.asarray(values, dtype=np.float64) for name, values in baselines.items()}
    units = np.asarray(scale, dtype=np.float64)
    sds = np.asarray(deviation, dtype=np.float64)
    _check(true, rows, units, sds, targets)

    observed = np.isfinite(true)
    silent = [
        n for n in baselines if observed.any() and not (np.isfinite(rows[n]) & observed).any()
    ]
    valid = observed.copy()
    for name in baselines:
        if name not in silent:
            valid &= np.isfinite(rows[name])
    kept = {name: values for name, values in rows.items() if name not in silent}

    named = [str(name) for name in targets]
    scored = {
        row: [
            _scores(true[..., t], values[..., t], valid[..., t], units[t], sds[t])
            for t in range(len(named))
        ]
        for row, values in kept.items()
    }
    windows = int(valid.any(axis=(1, 2)).sum())
    notes: dict[str, Any] = {
        "compared": f"{counted(int(valid.sum()), 'pair')} of truth and forecast "
        f"in {counted(windows, 'window')}"
    }
    if not valid.all():
        unseen, without = int((~observed).sum()), int((observed & ~valid).sum())
        why = [f"the truth is missing in {unseen:,}"] if unseen else []
        why += [f"a baseline's value in {without:,}"] if without else []
        notes["left_out"] = (
            f"{unseen + without:,} of {counted(valid.size, 'pair')} left out of every row: "
            + ", ".join(why)
        )
    if silent:
        notes["silent_baselines"] = f"no value to compare, left out: {', '.join(silent)}"
    undefined = _undefined(true, rows["model"], valid, units, sds, named)
    if undefined:
        notes["undefined"] = undefined
    if len(named) > 1:
        notes["per_target"] = dict(zip(named, scored["model"], strict=True))
    metrics = {row: average(values) for row, values in scored.items()}
    return Evaluation(
        task="forecasting",
        metrics=metrics.pop("model"),
        baselines=metrics,
        primary="mae",
        truth=true,
        predicted=rows["model"],
        labels=named,
        references={name: kept[name] for name in metrics},
        by_step={row: _by_step(true, values, valid) for row, values in kept.items()},
        items=windows,
        notes=notes,
    )


def _pair(truth: Any, forecast: Any) -> tuple[np.ndarray, np.ndarray]:
    true, answer = np.asarray(truth, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    if true.shape != answer.shape:
        raise DataError(
            f"expected a forecast of the truth's shape {true.shape}, got {answer.shape}"
        )
    return true, answer


def _check(
    true: np.ndarray,
    rows: Mapping[str, np.ndarray],
    units: np.ndarray,
    sds: np.ndarray,
    targets: Sequence[str],
) -> None:
    if true.ndim != 3 or not targets or true.shape[2] != len(targets):
        raise DataError(
            f"expected the truth as (windows, horizon, {len(targets)} targets), got {true.shape}"
        )
    for name, values in rows.items():
        if values.shape != true.shape:
            raise DataError(
                f"expected the forecast of '{name}' in the truth's shape {true.shape}, "
                f"got {values.shape}"
            )
    for what, numbers in (("scale", units), ("deviation", sds)):
        if numbers.shape != (len(targets),):
            raise DataError(
                f"expected {what} of shape ({len(targets)},), one number for each target, "
                f"got {numbers.shape}"
            )


def _scores(
    truth: np.ndarray, values: np.ndarray, valid: np.ndarray, scale: float, deviation: float
) -> dict[str, float]:
    """All metrics of one target: `truth`, `values`, `valid` are `(windows, horizon)`."""
    true, answer = truth[valid], values[valid]
    finite = bool(np.isfinite(answer).all())
    basic = pointwise(true, answer)
    sd = deviation if deviation > 0 else math.nan
    return {
        "mae": basic["mae"],
        "mse": basic["mse"],
        "rmse": basic["rmse"],
        "r2": basic["r2"],
        "smape": smape(true, answer) if finite else math.nan,
        "mase": mase(true, answer, scale) if finite else math.nan,
        "mse_standardised": float(basic["mse"] / sd**2),
        "mae_standardised": float(basic["mae"] / sd),
    }


def _by_step(true: np.ndarray, values: np.ndarray, valid: np.ndarray) -> list[float]:
    """The mean absolute error at each lead time, over windows for each target, then targets."""
    error = np.where(valid, np.abs(true - values), 0.0).sum(axis=0)  # (horizon, targets)
    count = valid.sum(axis=0)
    means = np.divide(error, count, out=np.full(error.shape, np.nan), where=count > 0)
    return [float(step) for step in means.mean(axis=1)]


def _undefined(
    true: np.ndarray,
    forecast: np.ndarray,
    valid: np.ndarray,
    units: np.ndarray,
    sds: np.ndarray,
    targets: list[str],
) -> dict[str, str]:
    """Why a metric has no value, by its name."""
    pairs = [true[..., t][valid[..., t]] for t in range(len(targets))]
    empty = [name for name, values in zip(targets, pairs, strict=True) if not values.size]
    if empty:
        reason = f"no pair of truth and forecast to compare for {', '.join(empty)}"
        names = ("mae", "mse", "rmse", "r2", "smape", "mase")
        return dict.fromkeys((*names, "mse_standardised", "mae_standardised"), reason)
    reasons = {}
    flat = [name for name, values in zip(targets, pairs, strict=True) if np.ptp(values) == 0]
    if flat:
        reasons["r2"] = CONSTANT.format(", ".join(flat))
    still = [name for name, unit in zip(targets, units, strict=True) if not unit > 0]
    if still:
        reasons["mase"] = f"the naive forecast of {', '.join(still)} has no error in training"
    constant = [name for name, sd in zip(targets, sds, strict=True) if not sd > 0]
    if constant:
        reason = f"the training values of {', '.join(constant)} have no deviation"
        reasons |= {"mse_standardised": reason, "mae_standardised": reason}
    wrong = int((~np.isfinite(forecast[valid])).sum())
    if wrong:
        reasons["model"] = f"{wrong} of {int(valid.sum())} forecasts are not finite numbers"
    return reasons
