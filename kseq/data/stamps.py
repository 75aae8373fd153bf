"""The order of time stamps that are text."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

_MONTH = re.compile(r"\d{4}-\d{2}")


def sort_keys(stamps: list[str]) -> list[Any] | None:
    """Values that sort as the time stamps do, or None where their order cannot be known.

    Known are numbers, ISO dates and times (`2016-07-01 00:00:00`), and months (`1950-01`).

    Example:
        >>> sort_keys(["10", "9"])
        [10.0, 9.0]
        >>> sort_keys(["1/2/2016", "2/2/2016"]) is None
        True
    """
    try:
        return [float(stamp) for stamp in stamps]
    except ValueError:
        pass
    if all(_MONTH.fullmatch(stamp) for stamp in stamps):
        return list(stamps)
    try:
        times = [datetime.fromisoformat(stamp) for stamp in stamps]
    except ValueError:
        return None
    # Local times and times with a zone cannot be compared.
    return times if len({time.tzinfo is None for time in times}) == 1 else None
