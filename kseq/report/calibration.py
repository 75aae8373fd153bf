"""How sure a tagger was of its answers on test data, beside how often it was right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kseq.data.texts import as_texts
from kseq.estimators.tagger import SequenceTagger
from kseq.metrics.calibration import expected_calibration_error, reliability
from kseq.metrics.evaluation import Evaluation
from kseq.report.facts import taggings
from kseq.tags import scheme_of, spans


def with_calibration(evaluation: Evaluation, tagger: SequenceTagger, X: Any, y: Any) -> Evaluation:
    """The evaluation with `notes["calibration"]`; as it is where the tagger found nothing.

    The note holds what was counted, `spans` or `tags`; how many `answers` there were; their
    `expected_calibration_error`; and `bins`, the rows of `kseq.metrics.calibration.reliability`
    that hold an answer.

    Args:
        evaluation: What `tagger.evaluate(X, y)` returned.
        tagger: A fitted tagger.
        X: The test texts.
        y: Their targets.
    """
    texts = as_texts(X, tagger.vocabulary_.options.tokenizer).tokens
    of_spans = scheme_of(tagger.spec_.tags) is not None
    answers = list((_spans if of_spans else _tags)(tagger, texts, taggings(y)))
    if not answers:
        return evaluation
    stated, right = zip(*answers, strict=True)
    note = {
        "of": "spans" if of_spans else "tags",
        "answers": len(answers),
        "expected_calibration_error": expected_calibration_error(stated, right),
        "bins": [row._asdict() for row in reliability(stated, right) if row.answers],
    }
    return replace(evaluation, notes={**evaluation.notes, "calibration": note})


def _spans(
    tagger: SequenceTagger, texts: list[list[str]], truth: list[list[str]]
) -> Iterator[tuple[float, bool]]:
    """The probability of each span that was found, and whether it stands in the truth."""
    reading, scheme = tagger.recipe_.task["reading"], scheme_of(tagger.spec_.tags)
    for found, tags in zip(tagger.predict_spans(texts), truth, strict=True):
        there = set(spans(tags, reading=reading, scheme=scheme))
        for span in found:
            yield span.probability, (span.start, span.end, span.label) in there


def _tags(
    tagger: SequenceTagger, texts: list[list[str]], truth: list[list[str]]
) -> Iterator[tuple[float, bool]]:
    """The probability of the tag that each token was given, and whether it is the true one."""
    place = {tag: column for column, tag in enumerate(tagger.tags_.tolist())}
    rows = zip(tagger.predict_proba(texts), taggings(tagger.predict(texts)), truth, strict=True)
    for probabilities, given, tags in rows:
        for row, tag, true in zip(probabilities, given, tags, strict=True):
            yield float(row[place[tag]]), tag == true
