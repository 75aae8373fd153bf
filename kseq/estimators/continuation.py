"""Gives forecasts back in the form the series came in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kseq.data.series import Column, Series, SeriesForm


def continuation(
    forecasts: np.ndarray,
    form: SeriesForm,
    given: Sequence[Series] | None,
    targets: Sequence[Column],
) -> Any:
    """Forecasts `(n, horizon, targets)` in the form of the histories.

    Args:
        forecasts: One forecast for each history.
        form: How the histories came.
        given: The histories, for their index; None where they are those of the fit.
        targets: The forecast columns.

    Returns:
        Arrays, pandas objects with a continued index, or mappings of columns; many in a list,
        arrays with an axis more in front.
    """
    flat = form.flat and len(targets) == 1
    if form.kind == "array" or given is None:
        values = forecasts[..., 0] if flat else forecasts
        return values if form.many else values[0]
    if form.kind == "mapping":
        named = [dict(zip(targets, forecast.T, strict=True)) for forecast in forecasts]
        return named if form.many else named[0]
    tables = [
        _table(forecast, one, flat, targets) for forecast, one in zip(forecasts, given, strict=True)
    ]
    return tables if form.many else tables[0]


def _table(forecast: np.ndarray, series: Series, flat: bool, targets: Sequence[Column]) -> Any:
    import pandas as pd  # an optional extra, and here: a pandas history came in

    index = _continued(series.index, len(forecast))
    if flat:
        return pd.Series(forecast[:, 0], index=index, name=series.columns[0] or None)
    return pd.DataFrame(forecast, index=index, columns=list(targets))


def _continued(index: Any, horizon: int) -> Any:
    """The next labels of a pandas index; plain numbers from 1 where it has no regular step."""
    import pandas as pd

    if isinstance(index, pd.PeriodIndex):
        return pd.period_range(index[-1] + 1, periods=horizon, freq=index.freq)
    if isinstance(index, pd.DatetimeIndex):
        step = index.freq or pd.DatetimeIndex(index, freq="infer").freq
        if step is not None:
            return pd.date_range(index[-1], periods=horizon + 1, freq=step)[1:]
    elif pd.api.types.is_integer_dtype(index) and len(index) > 1:
        steps = np.diff(index.to_numpy())
        if (steps == steps[0]).all():
            return pd.RangeIndex(
                int(index[-1] + steps[0]), int(index[-1] + steps[0] * (horizon + 1)), int(steps[0])
            )
    return pd.RangeIndex(1, horizon + 1)
