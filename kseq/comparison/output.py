"""What a comparison leaves behind: a table and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kseq.comparison.result import Results
from kseq.comparison.table import Row, as_csv, records
from kseq.errors import MissingExtraError
from kseq.explain.reaches import Reach, draw_reaches
from kseq.report import canvas, comparisons

_MOST_REACHES = 8  # that can be told apart in a picture


def write(results: Results, rows: Sequence[Row], paths: Sequence[str], metric: str) -> list[Path]:
    """Writes `results.csv` and, where matplotlib is installed, the pictures.

    Returns:
        What was written.
    """
    folder = results.folder
    results.write(folder / "results.csv", as_csv(records(rows, paths, metric)))
    written = [folder / "results.csv"]
    reaches: dict[str, Reach] = {}
    for row in rows:
        if row.reaches() and len(reaches) < _MOST_REACHES:
            reaches.setdefault(row.name, row.reaches()[0])  # of the first seed
    drawn: dict[str, Any] = {}
    try:
        drawn["comparison.png"] = comparisons.picture(rows, paths, metric)
        if reaches:
            drawn["reach.png"] = draw_reaches(reaches)
    except MissingExtraError:
        return written  # the table says the same
    with results.writing():
        for name, figure in drawn.items():
            if figure is not None:
                canvas.write(figure, folder / name)
                written.append(folder / name)
    return written
