"""What a model got wrong on the test data, as data: kinds of mistakes and the worst items."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from kseq.metrics.evaluation import Evaluation
from kseq.report.facts import taggings
from kseq.tags import Reading, Scheme, Span, scheme_of, spans

MOST = 8
_FEW_TOKENS = 4  # shorter texts say little of what stands around a mistake


class Mistake(NamedTuple):
    """A kind of mistake of a tagger.

    Args:
        what: `missed` (a true span, and none found there), `invented` (one found where none is),
            `taken` (the right tokens, another type), `bounds` (the right type, other tokens),
            `both` (neither is right), `tag` (a plain tag), or `label` (of the whole text).
        true: The true type, tag or label; empty where none is.
        given: The model's; empty where it found none.
    """

    what: str
    true: str
    given: str


@dataclass(frozen=True)
class TaggedText:
    """A text with a mistake of one kind.

    Args:
        mistake: The kind.
        count: How often the model made it.
        text: Which text of the test part, from 0.
        tokens: The text.
        true: Its true spans; of plain tags the one mistaken.
        given: The spans that the model found, or the tag that it gave.
        focus: The first token of the mistake, and the one after its last.
    """

    mistake: Mistake
    count: int
    text: int
    tokens: list[str]
    true: list[Span]
    given: list[Span]
    focus: tuple[int, int]


def tagging_mistakes(
    evaluation: Evaluation,
    tokens: Sequence[Sequence[str]],
    *,
    names: Iterable[str] = (),
    reading: Reading = "conlleval",
    most: int = MOST,
) -> list[TaggedText]:
    """The commonest kinds of mistakes, each with a text of its own, with few others, and short.

    Each true span that was not found is one mistake, told by the found span that it shares most
    tokens with; each found span that is not true and tells of no such mistake is another. Of plain
    tags each wrong one is a mistake, and of labels beside them each wrong label.

    Args:
        evaluation: Of a tagging.
        tokens: The test texts, in the order of the evaluation.
        names: The tags that the model knows.
        reading: How the spans were read.
        most: How many kinds.
    """
    truth, answers = taggings(evaluation.truth), taggings(evaluation.predicted)
    scheme = scheme_of(chain(names, *truth, *answers))
    places: dict[Mistake, list[tuple[int, tuple[int, int]]]] = defaultdict(list)
    mistakes = [0] * len(truth)

    def note(text: int, mistake: Mistake, focus: tuple[int, int]) -> None:
        places[mistake].append((text, focus))
        mistakes[text] += 1

    for text, (true, given) in enumerate(zip(truth, answers, strict=True)):
        if true == given:
            continue
        if scheme is None:
            for step, (tag, answer) in enumerate(zip(true, given, strict=True)):
                if tag != answer:
                    note(text, Mistake("tag", tag, answer), (step, step + 1))
        else:
            for mistake, focus in _of_spans(*_both(true, given, reading, scheme)):
                note(text, mistake, focus)
    for text, (pair, answer) in enumerate(zip(evaluation.truth, evaluation.predicted, strict=True)):
        if isinstance(pair, tuple) and pair[1] != answer[1]:
            note(text, Mistake("label", str(pair[1]), str(answer[1])), (0, len(truth[text])))

    common = sorted(places.items(), key=lambda item: (-len(item[1]), item[0]))[:most]
    found: list[TaggedText] = []
    for mistake, where in common:
        shown = {example.text for example in found}

        def clear(place: tuple[int, tuple[int, int]], shown: set[int] = shown) -> tuple[Any, ...]:
            size = len(truth[place[0]])
            return size < _FEW_TOKENS, place[0] in shown, mistakes[place[0]], size, place

        text, focus = min(where, key=clear)
        if scheme is not None:
            true_spans, given_spans = _both(truth[text], answers[text], reading, scheme)
        elif mistake.what == "tag":
            true_spans, given_spans = [Span(*focus, mistake.true)], [Span(*focus, mistake.given)]
        else:
            true_spans = given_spans = []
        found.append(
            TaggedText(
                mistake, len(where), text, list(tokens[text]), true_spans, given_spans, focus
            )
        )
    return found


def _both(
    true: Sequence[str], given: Sequence[str], reading: Reading, scheme: Scheme
) -> tuple[list[Span], list[Span]]:
    first, second = (spans(tags, reading=reading, scheme=scheme) for tags in (true, given))
    return first, second


def _of_spans(true: list[Span], given: list[Span]) -> list[tuple[Mistake, tuple[int, int]]]:
    """The mistakes of one text, and the tokens of each."""
    wrong, used = sorted(set(given) - set(true)), set()
    found = []
    for span in sorted(set(true) - set(given)):
        touching = [other for other in wrong if _shared(span, other)]
        if not touching:
            found.append((Mistake("missed", span.label, ""), (span.start, span.end)))
            continue
        other = max(touching, key=lambda o: (_shared(span, o), o.label == span.label, -o.start))
        used.add(other)
        same = (span.start, span.end) == (other.start, other.end)
        what = "taken" if same else "bounds" if span.label == other.label else "both"
        focus = (min(span.start, other.start), max(span.end, other.end))
        found.append((Mistake(what, span.label, other.label), focus))
    found += [
        (Mistake("invented", "", other.label), (other.start, other.end))
        for other in wrong
        if other not in used
    ]
    return found


def _shared(one: Span, other: Span) -> int:
    """How many tokens two spans share."""
    return max(0, min(one.end, other.end) - max(one.start, other.start))


class WrongItem(NamedTuple):
    """An item with the wrong class.

    Args:
        item: Which, from 0.
        true: Its class.
        given: The model's answer.
        stated: The probability of the answer; NaN where the model gives none.
        of_truth: The probability of the true class; NaN where it is not known.
    """

    item: int
    true: Any
    given: Any
    stated: float
    of_truth: float


def wrong_items(evaluation: Evaluation, *, most: int = MOST) -> list[WrongItem]:
    """The items that a classifier was wrong and most sure about, the surest first.

    Args:
        evaluation: Of a classification; without probabilities the first wrong items come.
        most: How many.
    """
    truth, answers = (np.asarray(x).tolist() for x in (evaluation.truth, evaluation.predicted))
    place = {label: column for column, label in enumerate(_plain(evaluation.labels))}
    table = evaluation.probabilities
    rows = None if table is None else np.asarray(table, dtype=np.float64)

    def stated(item: int, label: Any) -> float:
        return math.nan if rows is None or label not in place else float(rows[item, place[label]])

    wrong = [
        WrongItem(item, true, given, stated(item, given), stated(item, true))
        for item, (true, given) in enumerate(zip(truth, answers, strict=True))
        if true != given
    ]
    # What has no probability comes last.
    return sorted(wrong, key=lambda w: -w.stated if math.isfinite(w.stated) else 1.0)[:most]


def _plain(labels: Sequence[Any] | None) -> list[Any]:
    return [x.item() if isinstance(x, np.generic) else x for x in labels or []]


class WorstItem(NamedTuple):
    """A sequence whose numbers were far from the truth.

    Args:
        item: Which of the test part, from 0.
        error: The mean absolute error over its steps and targets.
        true: `(targets,)` or `(time, targets)`.
        given: The same of the model.
        steps: How many steps it has, with those that have no target.
    """

    item: int
    error: float
    true: np.ndarray
    given: np.ndarray
    steps: int


def worst_items(evaluation: Evaluation, *, most: int = MOST) -> list[WorstItem]:
    """The sequences that a regressor was furthest from, the worst first.

    Targets are compared in units of their own standard deviation over the test part, so that none
    outweighs the others; the error told is in their own.

    Args:
        evaluation: Of a regression.
        most: How many.
    """
    per_step = isinstance(evaluation.truth, list)
    targets = len(evaluation.labels or [None])
    truth, answers = (
        [np.asarray(row, dtype=np.float64).reshape(-1, targets) for row in rows]
        for rows in (evaluation.truth, evaluation.predicted)
    )
    spread = np.concatenate(truth).std(axis=0)
    unit = np.where(spread > 0, spread, 1.0)
    far = []
    for item, (true, given) in enumerate(zip(truth, answers, strict=True)):
        gap = np.abs(given - true)
        if len(true) and np.isfinite(gap).all():
            far.append((float((gap / unit).mean()), item, float(gap.mean())))
    far.sort(key=lambda row: (-row[0], row[1]))
    rows = range(len(truth)) if evaluation.rows is None else evaluation.rows
    lengths = list(map(len, truth)) if evaluation.lengths is None else evaluation.lengths
    return [
        WorstItem(
            int(rows[place]),
            error,
            true=truth[place] if per_step else truth[place][0],
            given=answers[place] if per_step else answers[place][0],
            steps=int(lengths[place]),
        )
        for _, place, error in far[:most]
    ]


class WorstWindow(NamedTuple):
    """A forecast that was far from the truth.

    Args:
        window: Which, from 0.
        error: Its mean absolute error over the lead times and targets that were observed.
        beside: The same of the best baseline; NaN where there is none.
        by_step: The mean absolute error at each lead time, NaN where nothing was observed.
        target: The place of the target that the error is largest in.
        true: That target's values, `(horizon,)`.
        given: The forecast of it.
    """

    window: int
    error: float
    beside: float
    by_step: np.ndarray
    target: int
    true: np.ndarray
    given: np.ndarray


def worst_windows(evaluation: Evaluation, *, most: int = 5) -> list[WorstWindow]:
    """The forecasts that were furthest from the truth, the worst first.

    No two of them begin less than a horizon apart: neighbours tell of the same event.

    Args:
        evaluation: Of a forecast.
        most: How many.
    """
    gap = np.abs(evaluation.predicted - evaluation.truth)  # (windows, horizon, targets)
    best = evaluation.best_baseline()
    other = None if best is None else np.abs(evaluation.references[best] - evaluation.truth)
    errors = _mean(gap, (1, 2))
    chosen: list[int] = []
    for window in np.argsort(-errors, kind="stable").tolist():  # NaN comes last
        if len(chosen) == most or not math.isfinite(errors[window]):
            break
        if all(abs(window - before) >= gap.shape[1] for before in chosen):
            chosen.append(window)
    found = []
    for window in chosen:
        target = int(np.nanargmax(_mean(gap[window], (0,))))
        beside = math.nan if other is None else float(_mean(other[window], (0, 1)))
        found.append(
            WorstWindow(
                window,
                float(errors[window]),
                beside,
                _mean(gap[window], (1,)),
                target,
                evaluation.truth[window, :, target],
                evaluation.predicted[window, :, target],
            )
        )
    return found


def _mean(values: np.ndarray, axes: tuple[int, ...]) -> Any:
    """The mean of what is finite; NaN where nothing is, without a warning."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(axis=axes), known.sum(axis=axes)
    return np.divide(total, count, out=np.full(np.shape(count), np.nan), where=count > 0)
