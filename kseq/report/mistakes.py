"""The part of the page that shows what went wrong: texts, items and windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from kseq.metrics.evaluation import Evaluation, counted
from kseq.report import examples
from kseq.report.forecasts import stamp
from kseq.report.markup import Html, element, joined, lines, paragraphs, plane, table
from kseq.report.wording import number
from kseq.tags import Span

_AROUND = 14  # tokens on either side of a mistake
_MOST_CHARACTERS = 400
_MOST_CURVES = 3
_CURVES = ("truth", "second", "third")
# As `kseq explain --item` takes them.
_NUMBERED = "are numbered from 0"
_TITLES = {
    "missed": ("", " missed"),
    "invented": ("", " found where there is none"),
    "taken": ("", " taken for ", ""),
    "bounds": ("", " found with other bounds"),
    "both": ("", " taken for ", ", with other bounds"),
    "tag": ("", " taken for ", ""),
    "label": ("Label of the text: ", " taken for ", ""),
}


def mistakes(
    evaluation: Evaluation,
    recipe: Mapping[str, Any],
    facts: Mapping[str, Any],
    *,
    items: Sequence[Any] | None = None,
    ids: Sequence[str] | None = None,
    index: Sequence[Any] | None = None,
) -> Html:
    """The section's content; empty where nothing is known, or nothing went wrong.

    Args:
        evaluation: The score on test data.
        recipe: The recipe as plain values.
        facts: Of the run; see `kseq.report.card.model_card`.
        items: The test items, in the order of the evaluation: of a tagging the tokens of each text.
        ids: Their names, where they have some.
        index: Of a forecast: the time stamp of each window's first forecast step.
    """
    if evaluation.task == "tagging" and items is not None:
        task = recipe.get("task")
        reading = task.get("reading", "conlleval") if isinstance(task, Mapping) else "conlleval"
        return _tagging(evaluation, items, facts, reading)
    if evaluation.task == "classification":
        return _classification(evaluation, items, ids, facts)
    if evaluation.task == "regression":
        return _regression(evaluation, items, ids, facts)
    if evaluation.task == "forecasting":
        return _forecasting(evaluation, index)
    return Html()


def _tagging(
    evaluation: Evaluation, tokens: Sequence[Any], facts: Mapping[str, Any], reading: Any
) -> Html:
    found = examples.tagging_mistakes(
        evaluation, tokens, names=facts.get("tags", ()), reading=reading
    )
    if not found:
        return Html()
    characters = facts.get("tokenizer") == "characters"
    key = element(
        "p",
        "The commonest kinds of mistakes, each with a text. Marked like ",
        element("mark", "this"),
        ": truth and model agree. Like ",
        element("mark", "this", class_="off"),
        f": they do not. Texts {_NUMBERED}.",
        class_="key",
    )
    return joined(
        [key, element("ol", *(_text(each, characters) for each in found), class_="examples")]
    )


def _text(example: examples.TaggedText, characters: bool) -> Html:
    mistake = example.mistake
    named = {"invented": (mistake.given,), "missed": (mistake.true,), "bounds": (mistake.true,)}
    names = [
        element("code", name) for name in named.get(mistake.what, (mistake.true, mistake.given))
    ]
    parts = _TITLES[mistake.what]
    title = joined(
        [parts[0], *(part for pair in zip(names, parts[1:], strict=True) for part in pair)]
    )
    where = f"{counted(example.count, 'time')}; here in text {example.text:,} of the test part"
    rows = []
    for who, mine, others in (
        ("true", example.true, example.given),
        ("model", example.given, example.true),
    ):
        words = _marked(example.tokens, mine, set(others), example.focus, characters)
        content = (element("span", who, class_="who"), element("span", words, class_="words"))
        rows.append(element("p", *content, class_="said"))
    if mistake.what == "label":
        rows = rows[:1]
    return element("li", element("h3", title), element("p", where, class_="where"), *rows)


def _marked(
    tokens: Sequence[str],
    mine: Sequence[Span],
    others: set[Span],
    focus: tuple[int, int],
    characters: bool,
) -> Html:
    """The text around the focus with spans marked; none of them is cut through."""
    begin, end = max(0, focus[0] - _AROUND), min(len(tokens), focus[1] + _AROUND)
    begin = min([begin, *(s.start for s in mine if s.start < begin < s.end)])
    end = max([end, *(s.end for s in mine if s.start < end < s.end)])
    parts: list[Any] = ["… "] if begin else []
    starts = {span.start: span for span in mine}
    place = begin
    while place < end:
        span = starts.get(place)
        after = place + 1 if span is None else max(span.end, place + 1)
        words: Any = _words(tokens[place:after], characters)
        if span is not None:
            label = element("span", span.label, class_="label")
            words = element("mark", words, label, class_=None if span in others else "off")
        parts.append(words)
        if after < end:
            parts.append(_between(tokens[after - 1], tokens[after], characters))
        place = after
    return joined([*parts, " …"] if end < len(tokens) else parts)


def _words(tokens: Sequence[str], characters: bool) -> str:
    pieces = list(tokens[:1])
    for before, token in pairwise(tokens):
        pieces += [_between(before, token, characters), token]
    return "".join(pieces)


def _between(before: str, token: str, characters: bool) -> str:
    """A blank, but none between characters, nor in scripts that are written without."""
    dense = all(
        "\u2e80" <= end <= "\ua4cf" or "\uf900" <= end <= "\uff60"
        for end in (before[-1:], token[:1])
    )
    return "" if characters or dense else " "


def _classification(
    evaluation: Evaluation,
    items: Sequence[Any] | None,
    ids: Sequence[str] | None,
    facts: Mapping[str, Any],
) -> Html:
    wrong = examples.wrong_items(evaluation)
    if not wrong:
        return Html()
    cards = []
    for each in wrong:
        rows = [
            _answer("true", each.true, each.of_truth),
            _answer("model", each.given, each.stated),
        ]
        name = _name(each.item, ids, facts)
        shown = _item(items, each.item, name)
        answers = element("dl", *rows, class_="answer")
        cards.append(element("li", shown, element("p", name, class_="where"), answers))
    sure = "The wrong answers that the model was surest of, with the probabilities it stated."
    first = "The first wrong answers; the model states no probabilities."
    intro = sure if math.isfinite(wrong[0].stated) else first
    wide = bool(items is not None and len(items) and isinstance(items[0], str))
    kind = "examples" if wide else "examples cards"
    intro = f"{intro} Items {_NUMBERED}."
    return joined([element("p", intro, class_="key"), element("ul", *cards, class_=kind)])


def _answer(who: str, label: Any, probability: float) -> Html:
    stated = f"{probability:.3f}" if math.isfinite(probability) else ""
    return element(
        "div", element("dt", who), element("dd", label), element("dd", stated, class_="n")
    )


def _name(item: int, ids: Sequence[str] | None, facts: Mapping[str, Any]) -> str:
    what = "text" if facts.get("texts") else "clip" if facts.get("clips") else "sequence"
    named = "" if ids is None else f", {ids[item]}"
    return f"{what} {item:,} of the test part{named}"


def _item(items: Sequence[Any] | None, place: int, name: str) -> Html:
    """A text itself, or a small drawing of numbers; nothing where it is neither."""
    if items is None:
        return Html()
    item = items[place]
    if isinstance(item, list | tuple) and all(isinstance(token, str) for token in item):
        item = _words(list(item), False)
    if isinstance(item, str):
        long = len(item) > _MOST_CHARACTERS
        return element("p", f"{item[:_MOST_CHARACTERS]} …" if long else item, class_="quoted")
    values = np.asarray(item)
    if values.dtype.kind not in "fiub" or not values.size or not 1 <= values.ndim <= 4:
        return Html()
    values = values.astype(np.float64)
    if values.ndim > 2:  # a clip: its middle frame
        frame = values[len(values) // 2]
        return plane(frame.mean(axis=-1) if frame.ndim > 2 else frame, f"middle frame of {name}")
    table_of = values.reshape(len(values), -1)
    if table_of.shape[1] > _MOST_CURVES:
        return plane(table_of, f"{name}: steps downwards, features across")
    curves = list(zip(_CURVES, table_of.T, strict=False))
    return lines(curves, f"{name} over its steps")


def _regression(
    evaluation: Evaluation,
    items: Sequence[Any] | None,
    ids: Sequence[str] | None,
    facts: Mapping[str, Any],
) -> Html:
    worst = [each for each in examples.worst_items(evaluation) if each.error > 0]
    if not worst:
        return Html()
    names = [str(name) for name in evaluation.labels or ["target"]]
    if worst[0].true.ndim > 1:
        intro = (
            f"The sequences that were missed most; truth and model, {names[0]}. They {_NUMBERED}."
        )
        rows = [
            [
                _name(each.item, ids, facts),
                _pair(each.true[:, 0], each.given[:, 0]),
                counted(each.steps, "step"),
                number(each.error),
            ]
            for each in worst
        ]
        head: list[str] = ["", "truth and model", "length", "MAE"]
        return joined([table(head, rows, caption=intro, text=3), _key()])
    head = ["", *(f"{who} {name}" for name in names for who in ("true", "predicted")), "error"]
    numbers = [
        [_name(each.item, ids, facts)]
        + [number(v) for pair in zip(each.true, each.given, strict=True) for v in pair]
        + [number(each.error)]
        for each in worst
    ]
    caption = f"The numbers that were missed most; items {_NUMBERED}"
    if items is None:
        return table(head, numbers, caption=caption)
    drawn = [
        [row[0], _item(items, each.item, row[0]), *row[1:]]
        for each, row in zip(worst, numbers, strict=True)
    ]
    what = "text" if facts.get("texts") else "sequence"
    return table([head[0], what, *head[1:]], drawn, caption=caption, text=2)


def _forecasting(evaluation: Evaluation, index: Sequence[Any] | None) -> Html:
    worst = examples.worst_windows(evaluation)
    if not worst:
        return Html()
    names = [str(name) for name in evaluation.labels or ["target"]]
    horizon = evaluation.truth.shape[1]
    best = evaluation.best_baseline()
    several = len(names) > 1
    steps = sorted({0, horizon // 2, horizon - 1})
    rows = []
    for each in worst:
        begins = stamp(index[each.window]) if index is not None else f"window {each.window:,}"
        row: list[Any] = [element("span", begins, class_="whole")]
        if several:
            row.append(names[each.target])
        if horizon > 1:
            row.append(_pair(each.true, each.given))
        else:
            row += [number(each.true[0]), number(each.given[0])]
        row += [number(each.error), *([] if best is None else [number(each.beside)])]
        if horizon > 1:
            row += [number(each.by_step[step]) for step in steps]
        rows.append(row)
    if horizon > 1:
        shown = ["truth and model"]
        ahead = [counted(step + 1, "step") + " ahead" for step in steps]
    else:
        shown, ahead = ["truth", "model"], []
    beside = [] if best is None else [f"MAE of {best}"]
    head = ["from", *(["target"] if several else []), *shown, "MAE", *beside, *ahead]
    caption = "The forecasts that were furthest from the truth" + (
        ", none less than a horizon from another" if horizon > 1 else ""
    )
    if index is None:
        caption += f"; windows {_NUMBERED}"
    text = 1 + several + (horizon > 1)
    found = table(head, rows, caption=caption, text=text)
    return joined([found, _key()]) if horizon > 1 else found


def _pair(true: np.ndarray, given: np.ndarray) -> Html:
    label = f"from {number(true[0])} to {number(true[-1])}, model {number(given[-1])}"
    return lines([("truth", true), ("model", given)], label)


def _key() -> Html:
    return paragraphs(
        ["In the small drawings the thin line is the truth, the thick blue one the model."],
        class_="key",
    )
