"""What went wrong, against a plain search through everything."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from kseq.metrics.classification import evaluate_classification
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.forecasting import evaluate_forecast
from kseq.metrics.regression import evaluate_regression
from kseq.metrics.tagging import evaluate_tagging
from kseq.report.examples import (
    Mistake,
    tagging_mistakes,
    worst_items,
    worst_windows,
    wrong_items,
)
from kseq.tags import Span, spans

RNG = np.random.default_rng(3)


# --- taggings ---


def tagged(truth, given, **more) -> tuple[Evaluation, list[list[str]]]:
    tokens = [[f"w{place}" for place in range(len(row))] for row in truth]
    return evaluate_tagging(truth, given, **more), tokens


@pytest.mark.parametrize(
    ("true", "given", "mistake", "focus"),
    [
        ("O B-a I-a O", "O O O O", Mistake("missed", "a", ""), (1, 3)),
        ("O O O O", "O B-a O O", Mistake("invented", "", "a"), (1, 2)),
        ("B-a I-a O O", "B-b I-b O O", Mistake("taken", "a", "b"), (0, 2)),
        ("B-a I-a O O", "O B-a I-a O", Mistake("bounds", "a", "a"), (0, 3)),
        ("B-a I-a O O", "O B-b I-b O", Mistake("both", "a", "b"), (0, 3)),
    ],
)
def test_each_kind_of_mistake(true, given, mistake, focus):
    evaluation, tokens = tagged([true.split()], [given.split()], names=["B-a", "B-b", "I-a", "I-b"])
    (found,) = tagging_mistakes(evaluation, tokens, names=["B-a", "B-b", "I-a", "I-b", "O"])
    assert (found.mistake, found.count, found.text, found.focus) == (mistake, 1, 0, focus)
    assert found.tokens == tokens[0]
    assert found.true == spans(true.split())
    assert found.given == spans(given.split())


def test_a_true_span_is_told_by_the_one_that_it_shares_most_with():
    true, given = ["B-a", *["I-a"] * 5], ["B-a", "B-b", "I-b", "I-b", "O", "B-c"]
    evaluation, tokens = tagged([true], [given])
    found = {each.mistake for each in tagging_mistakes(evaluation, tokens)}
    assert found == {
        Mistake("both", "a", "b"),
        Mistake("invented", "", "a"),
        Mistake("invented", "", "c"),
    }


def brute(truth, given) -> Counter:
    """The mistakes by sets of tokens, one pair of spans at a time."""
    found: Counter = Counter()
    for row, answer in zip(truth, given, strict=True):
        true, told = set(spans(row)), set(spans(answer))
        wrong, used = told - true, set()
        for span in true - told:
            mine = set(range(span.start, span.end))
            best = None
            for other in sorted(wrong):
                shared = len(mine & set(range(other.start, other.end)))
                rank = (shared, other.label == span.label, -other.start)
                if shared and (best is None or rank > best[0]):
                    best = (rank, other)
            if best is None:
                found[Mistake("missed", span.label, "")] += 1
                continue
            other = best[1]
            used.add(other)
            if other[:2] == span[:2]:
                what = "taken"
            else:
                what = "bounds" if other.label == span.label else "both"
            found[Mistake(what, span.label, other.label)] += 1
        for other in wrong - used:
            found[Mistake("invented", "", other.label)] += 1
    return found


def test_spans_are_counted_as_a_plain_search_counts_them():
    tags = ["O", "B-a", "I-a", "B-b", "I-b"]
    truth = [RNG.choice(tags, size=RNG.integers(1, 9)).tolist() for _ in range(200)]
    given = [[tag if RNG.random() < 0.6 else str(RNG.choice(tags)) for tag in row] for row in truth]
    evaluation, tokens = tagged(truth, given)
    found = tagging_mistakes(evaluation, tokens, most=100)
    assert {each.mistake: each.count for each in found} == brute(truth, given)
    assert [each.count for each in found] == sorted((e.count for e in found), reverse=True)
    shown: set[int] = set()
    for each in found:
        assert each.mistake in brute([truth[each.text]], [given[each.text]])
        others = [
            sum(brute([row], [answer]).values())
            for text, (row, answer) in enumerate(zip(truth, given, strict=True))
            if len(row) >= 4 and text not in shown and each.mistake in brute([row], [answer])
        ]
        shown.add(each.text)
        if others:  # the text has few other mistakes
            assert sum(brute([truth[each.text]], [given[each.text]]).values()) == min(others)
    assert len(tagging_mistakes(evaluation, tokens, most=3)) == 3


def test_plain_tags_and_labels():
    truth = [(["N", "V"], "x"), (["N", "N"], "y"), (["V", "V", "N", "N"], "y")]
    given = [(["N", "N"], "y"), (["N", "N"], "y"), (["N", "V", "N", "V"], "y")]
    evaluation = evaluate_tagging(
        [row for row, _ in truth],
        [row for row, _ in given],
        labels=[label for _, label in truth],
        predicted_labels=[label for _, label in given],
    )
    tokens = [["a", "b"], ["c", "d"], ["e", "f", "g", "h"]]
    first, *rest = tagging_mistakes(evaluation, tokens)
    assert (first.mistake, first.count) == (Mistake("tag", "V", "N"), 2)
    assert (first.text, first.focus) == (2, (0, 1)), "the others are too short to read"
    assert (first.true, first.given) == ([Span(0, 1, "V")], [Span(0, 1, "N")])
    assert {each.mistake for each in rest} == {Mistake("tag", "N", "V"), Mistake("label", "x", "y")}


def test_nothing_wrong_is_nothing_to_show():
    evaluation, tokens = tagged([["O", "B-a"]], [["O", "B-a"]])
    assert tagging_mistakes(evaluation, tokens) == []


def test_the_strict_reading_is_the_one_scored():
    evaluation, tokens = tagged([["O", "B-a"]], [["O", "I-a"]], reading="strict")
    (found,) = tagging_mistakes(evaluation, tokens, reading="strict")
    assert found.mistake == Mistake("missed", "a", "")
    assert tagging_mistakes(evaluation, tokens, reading="conlleval") == []


# --- classes ---


def test_the_surest_wrong_answers_come_first():
    classes = ["a", "b", "c"]
    probabilities = RNG.dirichlet([1, 1, 1], size=60)
    truth = [str(c) for c in RNG.choice([*classes, "new"], size=60)]
    given = [classes[row] for row in probabilities.argmax(axis=1)]
    scored = evaluate_classification(truth, given, probabilities, classes, "a")
    found = wrong_items(scored, most=1000)
    wrong = [item for item in range(60) if truth[item] != given[item]]
    assert sorted(each.item for each in found) == wrong
    stated = [max(probabilities[each.item]) for each in found]
    assert stated == sorted((max(probabilities[item]) for item in wrong), reverse=True)
    for each, sure in zip(found, stated, strict=True):
        assert (each.true, each.given, each.stated) == (truth[each.item], given[each.item], sure)
        if each.true == "new":
            assert math.isnan(each.of_truth)
        else:
            assert each.of_truth == probabilities[each.item][classes.index(each.true)]
    assert found[:4] == wrong_items(scored, most=4)


def test_without_probabilities_the_first_come():
    scored = evaluate_classification([1, 2, 1, 2], [2, 2, 2, 1], None, [1, 2], 1)
    found = wrong_items(scored, most=2)
    assert [(each.item, each.true, each.given) for each in found] == [(0, 1, 2), (2, 1, 2)]
    assert all(math.isnan(each.stated) for each in found)


# --- numbers ---


def test_the_worst_numbers_in_units_of_their_own_spread():
    truth = RNG.normal(size=(50, 2)) * [1, 1000]
    given = truth + RNG.normal(size=(50, 2)) * [1, 1000]
    found = worst_items(evaluate_regression(truth, given, [0, 0]), most=5)
    far = [
        np.mean([abs(given[i, t] - truth[i, t]) / np.std(truth[:, t]) for t in range(2)])
        for i in range(50)
    ]
    assert [each.item for each in found] == sorted(range(50), key=lambda i: -far[i])[:5]
    for each in found:
        assert each.error == pytest.approx(np.abs(given[each.item] - truth[each.item]).mean())
        np.testing.assert_array_equal(each.true, truth[each.item])


def test_numbers_step_by_step_and_single_ones():
    truth = [RNG.normal(size=steps) for steps in (5, 0, 3)]
    given = [rows + error for rows, error in zip(truth, (0.1, 0.0, 2.0), strict=True)]
    worst, second = worst_items(evaluate_regression(truth, given, 0.0))
    assert (worst.item, second.item) == (2, 0)
    assert worst.true.shape == (3, 1)
    assert worst.error == pytest.approx(2.0)
    scored = evaluate_regression([1.0, 1.0, 1.0], [1.0, 3.0, np.nan], 1.0)
    assert [each.item for each in worst_items(scored)] == [1, 0], "no spread, and one unknown"


# --- forecasts ---


def test_the_worst_windows_do_not_overlap():
    truth = RNG.normal(size=(40, 4, 2))
    truth[RNG.random(truth.shape) < 0.1] = np.nan
    truth[7] = np.nan
    given, last = (np.nan_to_num(truth) + RNG.normal(size=truth.shape) for _ in range(2))
    scored = evaluate_forecast(
        truth, given, {"last": last}, scale=[1, 1], deviation=[1, 1], targets=["a", "b"]
    )
    found = worst_windows(scored, most=4)

    def error(answer: np.ndarray, window: int) -> float:
        gaps = [abs(a - t) for a, t in zip(answer[window].flat, truth[window].flat, strict=True)]
        known = [gap for gap in gaps if not math.isnan(gap)]
        return sum(known) / len(known) if known else -1.0

    chosen: list[int] = []
    for window in sorted(range(40), key=lambda w: -error(given, w)):
        if len(chosen) < 4 and all(abs(window - other) >= 4 for other in chosen):
            chosen.append(window)
    assert [each.window for each in found] == chosen
    for each in found:
        assert each.error == pytest.approx(error(given, each.window))
        assert each.beside == pytest.approx(error(last, each.window))
        assert each.by_step.shape == (4,)
        np.testing.assert_array_equal(each.true, truth[each.window, :, each.target])
        other = 1 - each.target
        gap = np.abs(given - truth)[each.window]
        assert np.nanmean(gap[:, each.target]) >= np.nanmean(gap[:, other])


def test_a_forecast_that_nobody_observed_has_no_worst_window():
    truth = np.full((3, 2, 1), np.nan)
    zeros = np.zeros_like(truth)
    scored = evaluate_forecast(
        truth, zeros, {"last": zeros}, scale=[1], deviation=[1], targets=["a"]
    )
    assert worst_windows(scored) == []
    alone = replace(scored, truth=zeros, baselines={}, references={})
    assert math.isnan(worst_windows(alone)[0].beside)
