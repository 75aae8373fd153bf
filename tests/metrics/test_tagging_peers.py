"""Entity scores against seqeval on random taggings, and against published scores on real ones."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from seqeval.metrics import accuracy_score
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as lenient_scores
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.scheme import IOB2, IOBES

from kseq.metrics.tagging import evaluate_tagging
from kseq.tags import spans

KINDS = ("loc", "org", "creative-work")
NAMES = {
    scheme: ["O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in KINDS)]
    for scheme, prefixes in (("bio", "BI"), ("bioes", "BIES"))
}
PUBLISHED = {  # F1 of the shared task's paper, in per cent
    "arcada": 39.98,
    "drexel_cci": 26.30,
    "flytxt": 38.35,
    "mic-cis": 37.06,
    "sjtu_adapt": 40.42,
    "spinningbytes": 40.78,
    "uh_ritual": 41.86,
}


def random_tagging(scheme: str, seed: int, sequences: int) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    names = np.array(NAMES[scheme])
    return [rng.choice(names, rng.integers(1, 10)).tolist() for _ in range(sequences)]


def disturbed(tagging: list[list[str]], scheme: str, seed: int) -> list[list[str]]:
    """A tagging that agrees with another in most places, so that spans agree too."""
    rng = np.random.default_rng(seed)
    return [
        [str(rng.choice(NAMES[scheme])) if rng.random() < 0.15 else tag for tag in tags]
        for tags in tagging
    ]


def seqeval(truth, predicted, scheme: str, reading: str, average: str | None):
    if reading == "conlleval":
        return lenient_scores(truth, predicted, average=average, zero_division=0)
    known = {"bio": IOB2, "bioes": IOBES}[scheme]
    return strict_scores(truth, predicted, scheme=known, average=average, zero_division=0)


@pytest.mark.parametrize("reading", ["conlleval", "strict"])
@pytest.mark.parametrize("scheme", ["bio", "bioes"])
@pytest.mark.parametrize("sequences", [1, 3, 400])
def test_seqeval(scheme: str, reading: str, sequences: int) -> None:
    for seed in range(3 if sequences == 400 else 150):
        truth = random_tagging(scheme, seed, sequences)
        predicted = disturbed(truth, scheme, seed + 1000)
        scored = evaluate_tagging(truth, predicted, names=NAMES[scheme], reading=reading)
        per_type = scored.notes["per_type"]
        if not per_type:  # seqeval averages over no type: an error
            continue

        micro = seqeval(truth, predicted, scheme, reading, "micro")
        mine = [scored.metrics[name] for name in ("precision", "recall", "f1")]
        assert mine == pytest.approx(micro[:3], abs=1e-12)
        macro = seqeval(truth, predicted, scheme, reading, "macro")
        assert scored.metrics["macro_f1"] == pytest.approx(macro[2], abs=1e-12)
        assert scored.metrics["accuracy"] == pytest.approx(accuracy_score(truth, predicted))

        # seqeval's order, and types: those of the truth and the prediction, sorted.
        theirs = np.transpose(seqeval(truth, predicted, scheme, reading, None))
        mine = [[r["precision"], r["recall"], r["f1"], r["support"]] for r in per_type.values()]
        assert list(per_type) == sorted(per_type)
        assert np.array(mine) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_conlleval_is_seqevals_default(scheme: str) -> None:
    """Span by span, on taggings that are mostly invalid: the two readings are one and the same."""
    for tags in random_tagging(scheme, 7, 5000):
        theirs = [(start, last + 1, kind) for kind, start, last in get_entities(tags)]
        assert spans(tags) == theirs


@pytest.mark.parametrize(
    ("tags", "theirs"),
    [
        # A tag without a type: seqeval calls the type "_", and kseq takes it for a plain tag.
        (["B", "I", "O"], [("_", 0, 1)]),
        # A tag with an empty type: the same.
        (["B-"], [("_", 0, 0)]),
    ],
)
def test_where_seqeval_sees_spans_and_kseq_plain_tags(tags, theirs) -> None:
    assert get_entities(tags) == theirs
    assert evaluate_tagging([tags], [tags]).primary == "accuracy"


def test_seqeval_strict_strips_hyphens_of_a_type() -> None:
    truth, predicted = [["B-x-"]], [["B-x"]]
    assert strict_scores(truth, predicted, scheme=IOB2, average="micro")[2] == 1.0
    assert evaluate_tagging(truth, predicted, reading="strict").metrics["f1"] == 0.0


# --- the shared task's submissions ---


def read(path: Path) -> list[list[str]]:
    """The tags of each sentence; a line without a tag is a break."""
    sentences: list[list[str]] = [[]]
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            fields = line.split("\t") if "\t" in line else line.rsplit(maxsplit=1)
            tag = fields[-1].strip() if len(fields) > 1 else ""
            if tag:
                sentences[-1].append(tag)
            elif sentences[-1]:
                sentences.append([])
    return [tags for tags in sentences if tags]


@pytest.mark.parametrize("system", PUBLISHED)
def test_the_published_scores_of_wnut17(system: str, data_home: Path) -> None:
    truth = read(data_home / "wnut17" / "test.conll.gz")
    predicted = read(data_home / "wnut17" / "submissions" / f"{system}.conll.gz")
    scored = evaluate_tagging(truth, predicted)
    assert scored.notes["compared"] == "23,394 tokens in 1,287 sequences, 1,079 true spans"
    assert round(100 * scored.metrics["f1"], 2) == PUBLISHED[system]


def test_the_strict_reading_of_a_submission_with_stray_tags(data_home: Path) -> None:
    truth = read(data_home / "wnut17" / "test.conll.gz")
    predicted = read(data_home / "wnut17" / "submissions" / "spinningbytes.conll.gz")
    scored = evaluate_tagging(truth, predicted, reading="strict")
    assert round(100 * scored.metrics["f1"], 2) == 41.31
    # 27 after O and 7 after another type.
    assert scored.notes["invalid"].startswith("34 of 23,394 predicted tags")
