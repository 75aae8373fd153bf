"""The score as a table for the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from kseq.metrics.evaluation import Evaluation
from kseq.report.wording import best_values, metric_name, metric_order, number


def score_table(evaluation: Evaluation) -> Table:
    """The model's row and one for each baseline; the primary metric first, the best value bold.

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
    metrics = metric_order(evaluation)
    table = Table(box=None, show_edge=False, pad_edge=False)
    table.add_column("")
    for metric in metrics:
        table.add_column(metric_name(metric), justify="right")
    best = best_values(evaluation)
    for name, row in {"model": evaluation.metrics, **evaluation.baselines}.items():
        cells = [
            Text(number(value), style="bold" if value is not None and value == best.get(m) else "")
            for m, value in ((m, row.get(m)) for m in metrics)
        ]
        table.add_row(Text(name, style="bold" if name == "model" else ""), *cells)
    return table
