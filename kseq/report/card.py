"""The model card: what a model is, what it was made from, how good it is, where it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kseq.metrics.evaluation import Evaluation
from kseq.report import statements
from kseq.report.wording import (
    TYPE_COLUMNS,
    calibration_line,
    kind_of_tags,
    metric_name,
    metric_order,
    type_cells,
    types_by_support,
)

_MOST_TYPES = 40


def model_card(
    recipe: Mapping[str, Any],
    evaluation: Evaluation | None,
    *,
    facts: Mapping[str, Any],
    pictures: Mapping[str, str] | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """A short Markdown page that claims nothing but what the run knows.

    Args:
        recipe: The recipe as plain values.
        evaluation: The score on test data; None where there was none.
        facts: What else is known, every key optional: `files` (name -> sha256), `sequences` and
            `steps`, `texts`, `tokens` and `spans` (`train`, `valid`, `test` -> count), `parameters`
            (count), `epochs`, `best_epoch` (from 1), `seconds`, `seed`, `targets`, `classes` and
            `tags` (names), `vocabulary` (stream -> count), `tokenizer` and `fitted_on` (of text),
            `limits` (further sentences), `versions` (library -> version).
        pictures: Captions by file name, shown at the end.
        remarks: Sentences about the report itself.

    Example:
        >>> card = model_card({"name": "gun", "task": "classification"}, None, facts={"seed": 7})
        >>> print(card[:5])
        # gun
        >>> "Not tested" in card
        True
    """
    title = f"# {recipe.get('name', 'model')}"
    versions = [f"{name} {v}" for name, v in sorted(facts.get("versions", {}).items())]
    limits = statements.limits(recipe, evaluation, facts)
    sections = [
        f"{title}\n\n{statements.opening(recipe)}",
        _section("Score", _score(evaluation)),
        _section("Data", _data(facts)),
        _section("Model", _pairs(statements.model(recipe, facts))),
        _section("Training", _pairs(statements.training(recipe, facts))),
        _section("Intended use and limits", _list(limits)),
        _section("Versions", _list(versions)),
        _section("Pictures", _pictures(pictures or {}, remarks)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _section(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(lines)
    return f"## {title}\n\n{body}" if body else ""


def _score(evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return [statements.tested(evaluation)]
    metrics = metric_order(evaluation)
    lines = [
        statements.tested(evaluation),
        "",
        _row(["", *(metric_name(metric) for metric in metrics)]),
        _row(["---", *("---:" for _ in metrics)]),
    ]
    for name, cells in statements.score_rows(evaluation):
        marked = [f"**{value}**" if best else value for value, best in cells]
        lines.append(_row([f"**{name}**" if name == "model" else name, *marked]))
    lines += ["", statements.verdict(evaluation)]
    lines += [f"\n{line}" for line in statements.observations(evaluation)]
    undefined = statements.without_value(evaluation)
    if undefined:
        lines += ["\nWithout a value:\n", *_list(undefined)]
    return [*lines, *_interval(evaluation), *_by_type(evaluation), *_calibration(evaluation)]


def _by_type(evaluation: Evaluation) -> list[str]:
    """The table of each type of span, or plain tag."""
    types = types_by_support(evaluation)
    if not types:
        return []
    kind = kind_of_tags(evaluation)
    columns = [metric_name(column) for column in TYPE_COLUMNS]
    lines = [f"\nBy {kind}:\n", _row([kind, *columns]), _row(["---", *("---:" for _ in columns)])]
    shown = list(types.items())[:_MOST_TYPES]
    lines += [_row([name, *type_cells(row)]) for name, row in shown]
    if len(types) > len(shown):
        lines.append(f"\nThe {_MOST_TYPES} commonest of {len(types)}; all are in `metrics.json`.")
    return lines


def _interval(evaluation: Evaluation) -> list[str]:
    """How the prediction intervals did, and of several targets each."""
    said, targets = statements.intervals(evaluation)
    if not said:
        return []
    lines = [f"\n{said}"]
    if targets:
        lines += ["", _row(["target", "coverage", "mean width"]), _row(["---", "---:", "---:"])]
    lines += [_row(cells) for cells in targets[:_MOST_TYPES]]
    if len(targets) > _MOST_TYPES:
        lines.append(f"\nThe first {_MOST_TYPES} of {len(targets)}; all are in `metrics.json`.")
    return lines


def _calibration(evaluation: Evaluation) -> list[str]:
    line = calibration_line(evaluation)
    if not line:
        return []
    of = evaluation.notes["calibration"]["of"]
    return [f"\nProbabilities of {of}: {line}; at 0 they are as often right as they say."]


def _data(facts: Mapping[str, Any]) -> list[str]:
    lines = []
    files = statements.files(facts)
    if files:
        lines += [_row(["file", "sha256"]), _row(["---", "---"])]
        lines += [_row([statements.code(name), f"`{digest}`"]) for name, digest in files]
    counts = _pairs(statements.counts(facts))
    return [*lines, "", *counts] if lines and counts else lines + counts


def _list(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _pairs(rows: Iterable[tuple[str, str]]) -> list[str]:
    return _list(f"{name}: {value}" for name, value in rows)


def _pictures(pictures: Mapping[str, str], remarks: Sequence[str]) -> list[str]:
    shown = [f"![{caption}]({name})" for name, caption in pictures.items()]
    return ["\n\n".join([*shown, *remarks])] if shown or remarks else []


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
