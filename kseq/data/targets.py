"""Targets that are read as text: labels or numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from kseq.data.dataset import Array
from kseq.data.tables import parse_number

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_PADDED = re.compile(r"0\d+")


def target_type(cells: Sequence[str]) -> type:
    """`int`, `float` or `str`: the narrowest that all cells are.

    Numbers with leading zeros, such as `007`, are names: they stay text.

    Example:
        >>> target_type(["1", "2"]), target_type(["1", "2.5"]), target_type(["007", "008"])
        (<class 'int'>, <class 'float'>, <class 'str'>)
    """
    if all(_WHOLE.fullmatch(cell) for cell in cells):
        return int
    if any(_PADDED.fullmatch(cell) or parse_number(cell) is None for cell in cells):
        return str
    return float


def as_targets(cells: Sequence[str], kind: type) -> Array:
    """An array `(batch,)` of targets: int64, float64 or text."""
    if kind is str:
        return np.array(cells, dtype=np.str_)
    return np.array([kind(cell) for cell in cells], dtype=np.int64 if kind is int else np.float64)
