"""How numbers and metrics are written, the same in the table, the card and the pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kseq.metrics.evaluation import Evaluation, counted, higher_is_better

TYPE_COLUMNS = ("precision", "recall", "f1", "support")
_NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "boundary_f1": "boundary F1",
    "f1": "F1",
    "frame_mae": "MAE a frame",
    "frame_mse": "MSE a frame",
    "macro_f1": "macro F1",
    "unknown_accuracy": "unknown-word accuracy",
    "log_loss": "log loss",
    "mae": "MAE",
    "mse": "MSE",
    "rmse": "RMSE",
    "r2": "R²",
    "smape": "sMAPE %",
    "mase": "MASE",
    "psnr": "PSNR dB",
    "ssim": "SSIM",
    "mse_standardised": "MSE (std.)",
    "mae_standardised": "MAE (std.)",
}


def metric_name(metric: str) -> str:
    """The metric as people write it.

    Example:
        >>> metric_name("macro_f1"), metric_name("val_accuracy")
        ('macro F1', 'val accuracy')
    """
    if metric.startswith("csi_"):
        return f"CSI at {metric.removeprefix('csi_')}"
    return _NAMES.get(metric, metric.replace("_", " "))


def number(value: Any) -> str:
    """A number with four significant digits; a dash where there is none.

    Example:
        >>> number(0.94321), number(1.0), number(123456.7), number(0.0000123), number(None)
        ('0.9432', '1.000', '123,457', '1.23e-05', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    size = abs(value)
    if size >= 9999.5:
        return f"{value:,.0f}" if size < 1e12 else f"{value:.3g}"
    if 0 < size < 0.001:
        return f"{value:.3g}"
    return f"{value:#.4g}".rstrip(".") if size else "0"


def metric_order(evaluation: Evaluation) -> list[str]:
    """The names of all metrics, the primary one first."""
    return [evaluation.primary, *(m for m in evaluation.metrics if m != evaluation.primary)]


def best_values(evaluation: Evaluation) -> dict[str, float]:
    """The best value of each metric among the model and the baselines, where there is one."""
    best = {}
    for metric in metric_order(evaluation):
        rows = [evaluation.metrics, *evaluation.baselines.values()]
        known = [row[metric] for row in rows if math.isfinite(row.get(metric, math.nan))]
        if known:
            best[metric] = max(known) if higher_is_better(metric) else min(known)
    return best


def types_by_support(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of the types or plain tags of a tagging, commonest first.

    Empty for any other task.
    """
    types = evaluation.notes.get("per_type", {})
    return dict(sorted(types.items(), key=lambda item: (-item[1]["support"], item[0])))


def type_cells(row: Mapping[str, float]) -> list[str]:
    """What one of `types_by_support` is written as, in the order of `TYPE_COLUMNS`.

    Example:
        >>> type_cells({"precision": 1.0, "recall": 0.5, "f1": 0.66667, "support": 1200})
        ['1.000', '0.5000', '0.6667', '1,200']
    """
    return [f"{row[name]:,}" if name == "support" else number(row[name]) for name in TYPE_COLUMNS]


def kind_of_tags(evaluation: Evaluation) -> str:
    """What the rows of `types_by_support` are: `type` of span, or plain `tag`."""
    return "type" if "reading" in evaluation.notes else "tag"


def score_line(evaluation: Evaluation) -> str:
    """The model's primary metric, such as `MAE 1.654`."""
    return f"{metric_name(evaluation.primary)} {number(evaluation.metrics.get(evaluation.primary))}"


def beside_line(evaluation: Evaluation) -> str:
    """The same of the best baseline, such as `best baseline, persistence: MAE 1.865`."""
    best = evaluation.best_baseline()
    if best is None:
        return "no baseline to compare with"
    value = number(evaluation.baselines[best][evaluation.primary])
    return f"best baseline, {best}: {metric_name(evaluation.primary)} {value}"


def calibration_line(evaluation: Evaluation) -> str:
    """How far stated probabilities are from the truth; empty where it is not known."""
    note = evaluation.notes.get("calibration")
    if note is None:
        return ""
    error = number(note["expected_calibration_error"])
    answers = counted(note["answers"], note["of"].removesuffix("s"))
    return f"expected calibration error {error} over {answers}"


def interval_line(evaluation: Evaluation) -> str:
    """How many test points the prediction intervals hold, and how wide they are; or nothing.

    Such as `90 % intervals cover 89.7 % of test points, mean width 1.230`.
    """
    note = evaluation.notes.get("interval")
    if note is None:
        return ""
    share = f"{100 * note['coverage']:.1f} % of test points"
    return f"{percent(note['level'])} intervals cover {share}, mean width {number(note['width'])}"


def percent(level: float) -> str:
    """A level in percent.

    Example:
        >>> percent(0.9), percent(0.975)
        ('90 %', '97.5 %')
    """
    return f"{100 * level:.4g} %"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, such as `90 s` or `3 min`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else counted(round(seconds / 3600), "hour")
