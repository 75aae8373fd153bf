"""The report as one page that needs nothing beside it: no network, no script, no other file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from kseq.metrics.evaluation import Evaluation, counted, higher_is_better, plain
from kseq.recipe.document import to_yaml
from kseq.report import statements
from kseq.report.markup import (
    Html,
    Picture,
    bullets,
    element,
    escaped,
    figure,
    joined,
    pairs,
    paragraphs,
    sentence,
    table,
)
from kseq.report.mistakes import mistakes
from kseq.report.wording import (
    TYPE_COLUMNS,
    calibration_line,
    kind_of_tags,
    metric_name,
    metric_order,
    number,
    type_cells,
    types_by_support,
)

_MOST_ROWS = 40
_MOST_STEPS = 8
_LEARNING = "learning_curve.png"
# Nothing is loaded and nothing runs, whatever a name in the page may hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def report_page(
    recipe: Mapping[str, Any],
    evaluation: Evaluation | None,
    *,
    facts: Mapping[str, Any],
    pictures: Sequence[Picture] = (),
    explained: Sequence[Picture] = (),
    remarks: Sequence[str] = (),
    items: Sequence[Any] | None = None,
    ids: Sequence[str] | None = None,
    index: Sequence[Any] | None = None,
) -> str:
    """The whole page, as HTML.

    Args:
        recipe: The recipe as plain values.
        evaluation: The score on test data; None where there was none.
        facts: What else is known; see `kseq.report.card.model_card`.
        pictures: Of the training and of the test.
        explained: What the model looks at.
        remarks: Sentences about the report itself.
        items: The test items; see `kseq.report.mistakes.mistakes`.
        ids: Their names.
        index: Of a forecast: the time stamp of each window's first forecast step.

    Example:
        >>> page = report_page({"name": "gun", "task": "classification"}, None, facts={"seed": 7})
        >>> "<title>gun - kseq report</title>" in page, "<script" in page
        (True, False)
    """
    name = str(recipe.get("name", "model"))
    learning = [picture for picture in pictures if picture.name == _LEARNING]
    results = [picture for picture in pictures if picture.name != _LEARNING]
    wrong = Html()
    if evaluation is not None and evaluation.items:
        wrong = mistakes(evaluation, recipe, facts, items=items, ids=ids, index=index)
    versions = sorted(facts.get("versions", {}).items())
    training = pairs(statements.training(recipe, facts))
    parts = [
        ("score", "Score", _score(evaluation)),
        ("results", "On the test data", joined(map(_shown, results))),
        ("mistakes", "What went wrong", wrong),
        ("explained", "What the model looks at", joined(map(_shown, explained))),
        ("limits", "Use and limits", bullets(statements.limits(recipe, evaluation, facts))),
        ("data", "Data", _data(facts)),
        ("model", "Model", pairs(statements.model(recipe, facts))),
        ("training", "Training", joined([*map(_shown, learning), training])),
        ("recipe", "Recipe", _recipe(recipe)),
        ("versions", "Versions", pairs([*versions, *_machine(facts)])),
    ]
    there = [part for part in parts if part[2]]
    links = [element("li", element("a", title, href=f"#{anchor}")) for anchor, title, _ in there]
    kind = statements.task_of(recipe).get("kind", "")
    header = element(
        "header",
        element("p", f"kseq report, {kind}", class_="kind"),
        element("h1", name),
        element("p", sentence(statements.opening(recipe)), class_="lede"),
        _glance(evaluation),
        paragraphs(remarks, class_="note"),
    )
    sections = [
        element(
            "section",
            element("h2", title, id=f"{anchor}-title"),
            content,
            id=anchor,
            aria_labelledby=f"{anchor}-title",
        )
        for anchor, title, content in there
    ]
    content = [
        header,
        element("nav", element("ul", *links), aria_label="Contents"),
        element("main", *sections),
    ]
    body = element("body", element("div", *content, class_="page"))
    return f"<!DOCTYPE html>\n{element('html', _head(name), body, lang='en')}\n"


def _head(name: str) -> Html:
    style = files("kseq.report").joinpath("report.css").read_text(encoding="utf-8")
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{name} - kseq report"),
        element("link", rel="icon", href="data:,"),
        element("style", Html(f"\n{style}")),
    )


def _glance(evaluation: Evaluation | None) -> Html:
    """The verdict, and the primary metric of the model and the baselines as bars."""
    if evaluation is None:
        verdict = element("p", "Not tested: no test data was given.", class_="verdict")
        return element("div", verdict, class_="glance unknown")
    better = evaluation.better()
    state = {True: "glance", False: "glance worse", None: "glance unknown"}[better]
    compared = evaluation.notes.get("compared", counted(evaluation.items, "item"))
    return element(
        "div",
        element("p", sentence(statements.verdict(evaluation)), class_="verdict"),
        element("p", f"On test data: {compared}.", class_="tested"),
        _bars(evaluation),
        class_=state,
    )


def _bars(evaluation: Evaluation) -> Html:
    """One bar for each row that has a value; none where one of them is negative."""
    rows = {"model": evaluation.metrics, **evaluation.baselines}
    values = {name: row.get(evaluation.primary, math.nan) for name, row in rows.items()}
    known = {name: value for name, value in values.items() if math.isfinite(value)}
    whole = max(known.values(), default=0.0)
    if len(known) < 2 or min(known.values()) < 0 or not whole:
        return Html()
    if higher_is_better(evaluation.primary) and whole <= 1:
        whole = 1.0
    best = evaluation.best_baseline()
    bars = []
    for name, value in known.items():
        fill = element("span", class_="fill", style=f"width:{100 * value / whole:.1f}%")
        kind = "model" if name == "model" else "best" if name == best else None
        stated = f"{metric_name(evaluation.primary)} {number(value)}"
        bars.append(
            element(
                "li",
                element("span", name),
                element("span", fill, class_="track", aria_hidden="true"),
                element("span", stated, class_="value"),
                class_=kind,
            )
        )
    return element("ul", *bars, class_="bars")


def _score(evaluation: Evaluation | None) -> Html:
    if evaluation is None:
        return paragraphs([statements.tested(evaluation)])
    rows = statements.score_rows(evaluation)
    table_of = [
        [metric_name(metric), *(_best(*cells[place]) for _, cells in rows)]
        for place, metric in enumerate(metric_order(evaluation))
    ]
    head = ["", *(name for name, _ in rows)]
    parts = [
        table(head, table_of, caption=statements.tested(evaluation)),
        paragraphs(statements.observations(evaluation)),
    ]
    undefined = statements.without_value(evaluation)
    if undefined:
        parts += [element("p", "Without a value:"), bullets(undefined)]
    parts += [_interval(evaluation), _by_lead_time(evaluation), _by_target(evaluation)]
    parts.append(_by_type(evaluation))
    return joined([*parts, _by_class(evaluation), _calibration(evaluation)])


def _best(value: str, best: bool) -> Html:
    return element("strong", value) if best else escaped(value)


def _by_lead_time(evaluation: Evaluation) -> Html:
    steps = max(map(len, evaluation.by_step.values()), default=0)
    if steps < 2:
        return Html()
    chosen = np.unique(np.linspace(0, steps - 1, min(steps, _MOST_STEPS)).round().astype(int))
    rows = [
        [f"{step + 1:,}", *(number(values[step]) for values in evaluation.by_step.values())]
        for step in chosen.tolist()
    ]
    metric = "MAE" if evaluation.task == "forecasting" else metric_name(evaluation.primary)
    what = "frames" if evaluation.task == "video" else "steps"
    caption = f"{metric} by lead time"
    return table([f"{what} ahead", *evaluation.by_step], rows, caption=caption)


def _by_target(evaluation: Evaluation) -> Html:
    targets = evaluation.notes.get("per_target", {})
    if not targets:
        return Html()
    metrics = [m for m in metric_order(evaluation) if all(m in row for row in targets.values())]
    shown = list(targets.items())[:_MOST_ROWS]
    rows = [[name, *(number(row[metric]) for metric in metrics)] for name, row in shown]
    caption = _some("By target", len(shown), len(targets))
    return table(["target", *map(metric_name, metrics)], rows, caption=caption)


def _by_type(evaluation: Evaluation) -> Html:
    types = types_by_support(evaluation)
    kind = kind_of_tags(evaluation)
    return _rates(kind, [(name, type_cells(row)) for name, row in types.items()])


def _by_class(evaluation: Evaluation) -> Html:
    classes = evaluation.notes.get("per_class", {})
    ordered = sorted(classes.items(), key=lambda item: (-item[1]["items"], item[0]))
    return _rates(
        "class",
        [(name, type_cells({**row, "support": row["items"]})) for name, row in ordered],
    )


def _rates(kind: str, found: list[tuple[str, list[str]]]) -> Html:
    if not found:
        return Html()
    shown = [[name, *cells] for name, cells in found[:_MOST_ROWS]]
    caption = _some(f"By {kind}, the commonest first", len(shown), len(found))
    return table([kind, *map(metric_name, TYPE_COLUMNS)], shown, caption=caption)


def _some(caption: str, shown: int, whole: int) -> str:
    return caption if shown == whole else f"{caption}: {shown} of {whole}; all are in metrics.json"


def _interval(evaluation: Evaluation) -> Html:
    """How the prediction intervals did, and of several targets each."""
    said, targets = statements.intervals(evaluation)
    parts = [paragraphs([said])] if said else []
    if targets:
        caption = _some("Intervals by target", min(len(targets), _MOST_ROWS), len(targets))
        head = ["target", "coverage", "mean width"]
        parts.append(table(head, targets[:_MOST_ROWS], caption=caption))
    return joined(parts)


def _calibration(evaluation: Evaluation) -> Html:
    """How sure, and how often right."""
    if "calibration" not in evaluation.notes:
        return Html()
    note, line = evaluation.notes["calibration"], calibration_line(evaluation)
    rows = [
        [
            f"{row['low']:.1f} to {row['high']:.1f}",
            f"{row['answers']:,}",
            number(row["confidence"]),
            number(row["correct"]),
        ]
        for row in note["bins"]
    ]
    head = ["probability stated", note["of"], "mean stated", "share right"]
    text = f"{line[:1].upper()}{line[1:]}; at 0 the model is as often right as it says."
    return joined([table(head, rows, caption="How sure, and how often right"), paragraphs([text])])


def _shown(picture: Picture) -> Html:
    content = figure(picture)
    if picture.name.endswith(".gif"):  # so that whoever wants rest can close it
        return element("details", element("summary", "Animation"), content, open=True)
    return content


def _data(facts: Mapping[str, Any]) -> Html:
    read = [[name, element("code", digest)] for name, digest in statements.files(facts)]
    parts = [pairs(statements.counts(facts))] if statements.counts(facts) else []
    if read:
        parts.append(table(["file", "SHA-256"], read, caption="Files read", text=2))
    return joined(parts)


def _machine(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("machine", str(facts["machine"]))] if facts.get("machine") else []


def _recipe(recipe: Mapping[str, Any]) -> Html:
    said = "Every parameter, defaults too. Saved to a file, it trains again by `kseq train`."
    return joined(
        [paragraphs([said]), element("pre", element("code", to_yaml(plain(recipe), short=False)))]
    )
