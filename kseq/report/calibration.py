"""How sure a model was of its answers on test data, beside how often it was right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kseq.data.texts import as_texts
from kseq.estimators.classifier import SequenceClassifier
from kseq.estimators.tagger import SequenceTagger
from kseq.metrics.calibration import expected_calibration_error, reliability
from kseq.metrics.evaluation import Evaluation
from kseq.report.facts import taggings
from kseq.tags import scheme_of, spans


def with_calibration(evaluation: Evaluation, estimator: Any, X: Any, y: Any) -> Evaluation:
    """The evaluation with `notes["calibration"]`; as it is where there are no such answers.

    The note holds what was counted, `labels` of a classifier, `spans` or `tags` of a tagger; how
    many `answers` there were; their `expected_calibration_error`; and `bins`, the rows of
    `kseq.metrics.calibration.reliability` that hold an answer.

    Args:
        evaluation: What `estimator.evaluate(X, y)` returned.
        estimator: A fitted estimator.
        X: What it was asked on the test part.
        y: The targets there.
    """
    if isinstance(estimator, SequenceClassifier):
        of, answers = "labels", list(_labels(evaluation))
    elif isinstance(estimator, SequenceTagger):
        texts = as_texts(X, estimator.vocabulary_.options.tokenizer).tokens
        of = "spans" if scheme_of(estimator.spec_.tags) is not None else "tags"
        answers = list((_spans if of == "spans" else _tags)(estimator, texts, taggings(y)))
    else:
        return evaluation
    if not answers:
        return evaluation
    stated, right = zip(*answers, strict=True)
    note = {
        "of": of,
        "answers": len(answers),
        "expected_calibration_error": expected_calibration_error(stated, right),
        "bins": [row._asdict() for row in reliability(stated, right) if row.answers],
    }
    return replace(evaluation, notes={**evaluation.notes, "calibration": note})


def _labels(evaluation: Evaluation) -> Iterator[tuple[float, bool]]:
    """The probability of the label of each sequence, and whether it is the true one."""
    rows = zip(evaluation.probabilities, evaluation.predicted, evaluation.truth, strict=True)
    for probabilities, given, true in rows:
        yield float(probabilities.max()), bool(given == true)


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
