"""What a comparison leaves behind: a table and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kseq.comparison.result import Results
from kseq.comparison.table import Row, as_csv, records
from kseq.explain.reaches import Reach, draw_reaches
from kseq.report import canvas, comparisons
from kseq.report.write import left_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_REACHES = 8  # that can be told apart in a picture
_NO_ORDER = "test parts differ, and by no path with a number for each, which could be an axis"


def write(
    results: Results, rows: Sequence[Row], paths: Sequence[str], metric: str
) -> tuple[list[Path], list[str]]:
    """Writes `results.csv` and, where matplotlib is installed, the pictures.

    Whatever fails in a picture, the table is not lost for it.

    Returns:
        What was written, and remarks on the pictures that were not.
    """
    folder = results.folder
    results.write(folder / "results.csv", as_csv(records(rows, paths, metric)))
    written, remarks = [folder / "results.csv"], []
    reaches: dict[str, Reach] = {}
    for row in rows:
        if row.reaches() and len(reaches) < _MOST_REACHES:
            reaches.setdefault(row.name, row.reaches()[0])  # of the first seed
    draws: dict[str, Callable[[], Figure | None]] = {
        "comparison.png": lambda: comparisons.picture(rows, paths, metric)
    }
    if reaches:
        draws["reach.png"] = lambda: draw_reaches(reaches)
    for name, draw in draws.items():
        try:
            figure = draw()
            if figure is None:
                remarks.append(f"{name} was left out: {_NO_ORDER}.")
                continue
            with results.writing():
                canvas.write(figure, folder / name)
            written.append(folder / name)
        except Exception as error:  # the table must not be lost for it
            remarks.append(left_out(name, error))
    return written, remarks
