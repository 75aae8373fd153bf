"""The score as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from kseq.metrics.evaluation import Evaluation
from kseq.report.wording import (
    TYPE_COLUMNS,
    best_values,
    kind_of_tags,
    metric_name,
    metric_order,
    number,
    type_cells,
    types_by_support,
)

_WIDEST = 100  # characters; of a wider table the metrics become the rows


def score_table(evaluation: Evaluation) -> Table:
    """The model's row and one for each baseline; the primary metric first, the best value bold.

    Where the metrics are many, they are the rows.

    Example:
        >>> from rich.console import Console
        >>> scored = Evaluation(
        ...     task="regression", primary="mse", metrics={"mse": 1.0}, items=2,
        ...     baselines={"training mean": {"mse": 4.0}}, truth=[1.0, 2.0], predicted=[2.0, 3.0],
        ... )
        >>> Console(width=40, color_system=None).print(score_table(scored))
                         MSE
        model          1.000
        training mean  4.000
    """
    metrics, best = metric_order(evaluation), best_values(evaluation)
    rows = {"model": evaluation.metrics, **evaluation.baselines}
    names = [Text(name, style="bold" if name == "model" else "") for name in rows]
    cells = [
        [
            Text(number(value), style="bold" if value is not None and value == best.get(m) else "")
            for m, value in ((m, row.get(m)) for m in metrics)
        ]
        for row in rows.values()
    ]
    titles = [metric_name(metric) for metric in metrics]
    wide = max(map(len, rows)) + sum(2 + max(len(title), 6) for title in titles)
    if wide <= _WIDEST:
        return _table(titles, names, cells)
    return _table(names, [Text(title) for title in titles], zip(*cells, strict=True))


def type_table(evaluation: Evaluation, *, most: int = 40) -> Table | None:
    """Precision, recall, F1 and support of each type of a tagging, the commonest first.

    Args:
        evaluation: Of any task.
        most: Types that are shown.

    Returns:
        None where the evaluation is of no tagging.
    """
    types = types_by_support(evaluation)
    if not types:
        return None
    table = Table(kind_of_tags(evaluation), box=None, show_edge=False, pad_edge=False)
    for column in TYPE_COLUMNS:
        table.add_column(metric_name(column), justify="right")
    for name, row in list(types.items())[:most]:
        table.add_row(Text(name), *type_cells(row))
    if len(types) > most:
        table.add_row(Text(f"and {len(types) - most} more"))
    return table


def _table(
    titles: Sequence[str | Text], names: Sequence[Text], cells: Iterable[Iterable[Text]]
) -> Table:
    table = Table(box=None, show_edge=False, pad_edge=False)
    table.add_column("")
    for title in titles:
        table.add_column(title, justify="right")
    for name, row in zip(names, cells, strict=True):
        table.add_row(name, *row)
    return table
