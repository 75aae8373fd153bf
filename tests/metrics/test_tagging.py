"""Tagging scores against numbers worked out by hand, and what cannot be compared."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest

from kseq.errors import DataError
from kseq.metrics.span_arrays import SpanReader
from kseq.metrics.tagging import BASELINE, evaluate_tagging
from kseq.tags import repair, spans

TRUTH = [["B-per", "I-per", "O", "B-loc"], ["O", "B-loc", "I-loc"]]
PREDICTED = [["B-per", "I-per", "O", "B-per"], ["B-loc", "I-loc", "O"]]


def test_by_hand() -> None:
    # True: per 0-2, loc 3-4, loc 1-3. Found: per 0-2 (right), per 3-4 (its ends are), loc 0-2.
    scored = evaluate_tagging(TRUTH, PREDICTED)
    assert scored.task == "tagging"
    assert scored.primary == "f1"
    assert list(scored.metrics) == [
        *("f1", "precision", "recall", "macro_f1", "boundary_f1", "accuracy")
    ]
    assert scored.metrics == pytest.approx(
        {
            "f1": 1 / 3,
            "precision": 1 / 3,
            "recall": 1 / 3,
            "macro_f1": (2 / 3 + 0) / 2,
            "boundary_f1": 2 / 3,
            "accuracy": 3 / 7,
        }
    )
    assert scored.items == 2
    assert scored.labels == ["loc", "per"]
    assert scored.baselines == {}
    assert scored.better() is None
    notes = scored.to_dict()["notes"]
    assert notes == {
        "compared": "7 tokens in 2 sequences, 3 true spans",
        "reading": "spans of BIO tags in conlleval's reading: a stray I- begins a span",
        "per_type": {
            "loc": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 2},
            "per": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1},
        },
    }
    json.dumps(notes, allow_nan=False)


def test_the_readings_differ_and_are_named() -> None:
    truth, predicted = [["O", "B-x", "I-x"]], [["O", "I-x", "I-x"]]
    lenient = evaluate_tagging(truth, predicted)
    strict = evaluate_tagging(truth, predicted, reading="strict")
    assert (lenient.metrics["f1"], strict.metrics["f1"]) == (1.0, 0.0)
    assert strict.notes["reading"] == (
        "spans of BIO tags in the strict reading: a stray I- belongs to no span"
    )
    for scored in (lenient, strict):
        assert scored.notes["invalid"] == "1 of 3 predicted tags cannot stand where it does in BIO"
        assert scored.metrics["accuracy"] == pytest.approx(2 / 3)


def test_the_scheme_is_that_of_all_tags_together() -> None:
    truth = [["B-x", "E-x"], ["S-x", "O"]]
    unfinished = [["B-x", "O"], ["O", "O"]]  # has no E- and no S- of its own
    strict = evaluate_tagging(truth, unfinished, reading="strict")
    assert strict.notes["per_type"]["x"] == {
        **dict.fromkeys(("precision", "recall", "f1"), 0.0),
        "support": 2,
    }
    assert strict.notes["reading"].startswith("spans of BIOES tags")
    assert strict.notes["invalid"].endswith("cannot stand where it does in BIOES")
    outside = [["O", "O"]]
    assert evaluate_tagging(outside, outside).primary == "accuracy"
    assert evaluate_tagging(outside, outside, names=["O", "B-x"]).primary == "f1"


def test_a_span_ends_with_its_sequence() -> None:
    tags = [[], ["B-x"], [], ["I-x", "O"], []]
    scored = evaluate_tagging(tags, tags)
    assert scored.notes["compared"] == "3 tokens in 5 sequences, 2 true spans"
    assert scored.metrics["f1"] == 1.0


@pytest.mark.parametrize("reading", ["conlleval", "strict"])
def test_rates_of_nothing_are_0(reading: str) -> None:
    some, none = [["B-x", "O"]], [["O", "O"]]
    for truth, predicted in ((some, none), (none, some), (none, none)):
        scored = evaluate_tagging(truth, predicted, reading=reading, names=["B-x", "O"])
        rates = ("f1", "precision", "recall", "macro_f1", "boundary_f1")
        assert [scored.metrics[rate] for rate in rates] == [0.0] * 5


def test_the_baseline_stands_beside() -> None:
    base = [["B-per", "I-per", "O", "B-loc"], ["O", "O", "O"]]
    scored = evaluate_tagging(TRUTH, PREDICTED, baseline=base)
    assert scored.best_baseline() == BASELINE
    assert scored.baselines[BASELINE] == pytest.approx(
        {
            "f1": 4 / 5,
            "precision": 1.0,
            "recall": 2 / 3,
            "macro_f1": (1 + 2 / 3) / 2,
            "boundary_f1": 4 / 5,
            "accuracy": 5 / 7,
        }
    )
    assert scored.better() is False


def test_plain_tags() -> None:
    truth = [["DET", "NOUN", "VERB"], ["NOUN", "O"]]
    predicted = [["DET", "VERB", "VERB"], ["NOUN", "NOUN"]]
    scored = evaluate_tagging(truth, predicted, baseline=truth, reading="strict")
    assert scored.primary == "accuracy"
    assert scored.metrics == pytest.approx(
        {"accuracy": 3 / 5, "macro_f1": (1 + 1 / 2 + 2 / 3 + 0) / 4}
    )
    assert scored.better() is False
    assert scored.labels == ["DET", "NOUN", "O", "VERB"]
    assert scored.notes == {
        "compared": "5 tokens in 2 sequences",
        "per_type": {
            "DET": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1},
            "NOUN": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2},
            "O": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
            "VERB": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1},
        },
    }


def test_a_plain_tag_may_look_like_a_span_tag() -> None:
    scored = evaluate_tagging([["B-x", "NOUN"]], [["B-x", "B-x"]])
    assert scored.metrics["accuracy"] == 0.5
    assert scored.labels == ["B-x", "NOUN"]


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_unknown_words(nested: bool) -> None:
    known = [[True, False, True, False], [True, False, False]]
    flags = known if nested else np.concatenate(known)
    scored = evaluate_tagging(TRUTH, PREDICTED, baseline=TRUTH, known=flags)
    # Unknown: right, wrong; wrong, wrong.
    assert scored.metrics["unknown_accuracy"] == 1 / 4
    assert scored.baselines[BASELINE]["unknown_accuracy"] == 1.0


def test_no_unknown_words() -> None:
    scored = evaluate_tagging(TRUTH, PREDICTED, known=np.ones(7, dtype=bool))
    assert math.isnan(scored.metrics["unknown_accuracy"])
    assert scored.notes["undefined"] == {"unknown_accuracy": "the training had every word"}


def test_tags_that_the_training_did_not_have() -> None:
    scored = evaluate_tagging(TRUTH, PREDICTED, names=["O", "B-per", "I-per"])
    assert scored.notes["unseen_tags"] == (
        "3 of 7 true tags were not seen in training (B-loc, I-loc): they count as mistakes"
    )
    plain = evaluate_tagging([["NOUN", "X"]], [["NOUN", "NOUN"]], names=["NOUN"])
    assert plain.notes["unseen_tags"].startswith("1 of 2 true tags were not seen")


# --- tags and a label together ---


def test_joint() -> None:
    truth = [["B-x", "O"], ["O", "B-x"], ["O"]]
    predicted = [["I-x", "O"], ["O", "B-x"], ["B-x"]]
    scored = evaluate_tagging(
        truth,
        predicted,
        baseline=[["O", "O"], ["O", "O"], ["O"]],
        labels=["play", "book", "book"],
        predicted_labels=["play", "play", "book"],
        baseline_labels=["book"] * 3,
    )
    assert scored.metrics["label_accuracy"] == pytest.approx(2 / 3)
    assert scored.metrics["exact_match"] == pytest.approx(1 / 3)  # the first, as a span
    base = scored.baselines[BASELINE]
    assert (base["label_accuracy"], base["exact_match"]) == pytest.approx((2 / 3, 1 / 3))
    assert scored.primary == "f1"
    assert scored.truth[0] == (["B-x", "O"], "play")
    assert scored.predicted[2] == (["B-x"], "book")


def test_a_span_too_few_or_too_many_is_no_exact_match() -> None:
    truth = [["B-x", "B-x"], ["B-x", "O"], ["B-x", "O"]]
    predicted = [["B-x", "O"], ["B-x", "B-x"], ["B-x", "O"]]
    scored = evaluate_tagging(truth, predicted, labels="aaa", predicted_labels="aaa")
    assert scored.metrics["exact_match"] == pytest.approx(1 / 3)
    plain = evaluate_tagging([["N"], ["V"]], [["N"], ["N"]], labels="ab", predicted_labels="ab")
    assert plain.metrics["exact_match"] == 0.5


def test_labels_that_nobody_predicted() -> None:
    scored = evaluate_tagging(TRUTH, PREDICTED, baseline=TRUTH, labels="ab", predicted_labels="ab")
    assert math.isnan(scored.baselines[BASELINE]["label_accuracy"])
    undefined = scored.notes["undefined"]
    assert set(undefined) == {f"{BASELINE}.label_accuracy", f"{BASELINE}.exact_match"}
    json.dumps(scored.to_dict(), allow_nan=False)


# --- what cannot be compared ---


@pytest.mark.parametrize(
    ("truth", "predicted", "more", "message"),
    [
        (TRUTH, TRUTH[:1], {}, "model: expected a tagging for each of 2 sequences, got 1"),
        (
            TRUTH,
            [TRUTH[0], ["O"]],
            {},
            "model, sequence 1: expected 3 tags as in the truth, got 1",
        ),
        (TRUTH, TRUTH, {"baseline": [["O"], []]}, "commonest tag of each word, sequence 0: expec"),
        (["O", "O"], ["O", "O"], {}, "truth, sequence 0: expected a list of tags, got the text"),
        ([[], []], [[], []], {}, "expected at least one token to compare, got none"),
        (TRUTH, [["NOUN"] * 4, ["O"] * 3], {}, "model, sequence 0: expected tags of a span scheme"),
        (TRUTH, TRUTH, {"reading": "lenient"}, r"expected a reading of \['conlleval', 'strict'\]"),
        (TRUTH, TRUTH, {"known": [True]}, "known: expected a flag for each of 7 tokens, got 1"),
        (TRUTH, TRUTH, {"known": [[True]]}, "known: expected as many flags for each sequence as"),
        (TRUTH, TRUTH, {"predicted_labels": "ab"}, "labels were predicted and there are no true"),
        (
            TRUTH,
            TRUTH,
            {"labels": "ab", "predicted_labels": "a"},
            "model: expected a label for each of 2 sequences, got 1",
        ),
    ],
)
def test_refusals(truth, predicted, more, message) -> None:
    with pytest.raises(DataError, match=message):
        evaluate_tagging(truth, predicted, **more)


# --- arrays ---


@pytest.mark.parametrize("reading", ["conlleval", "strict"])
@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_the_arrays_hold_the_spans_of_each_sequence(scheme: str, reading: str) -> None:
    names = ["O", *(f"{p}-{kind}" for p in {"bio": "BI", "bioes": "BIES"}[scheme] for kind in "xy")]
    every = [tags for steps in range(4) for tags in product(names, repeat=steps)]
    lengths = [len(tags) for tags in every]
    reader = SpanReader(names, lengths, scheme=scheme, reading=reading)
    found = reader.read(every)
    offsets = np.cumsum([0, *lengths])
    expected = [
        (offset + start, offset + end, kind)
        for tags, offset in zip(every, offsets, strict=False)
        for start, end, kind in spans(tags, reading=reading, scheme=scheme)
    ]
    kinds = [reader.kinds[kind] for kind in found.kind]
    assert list(zip(found.start, found.end, kinds, strict=True)) == expected
    assert found.invalid == sum(repair(tags, scheme=scheme)[1] for tags in every)
