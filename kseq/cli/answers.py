"""What a model of text answers, as plain values and as column text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import numpy as np

from kseq.data.texts import Texts, as_texts
from kseq.estimators.base import Estimator
from kseq.estimators.classifier import SequenceClassifier
from kseq.estimators.conformal import Interval
from kseq.estimators.regressor import SequenceRegressor
from kseq.estimators.tagger import SequenceTagger
from kseq.tags import scheme_of, spans

Answer = dict[str, Any]


def answers(
    estimator: Estimator,
    X: Any,
    ids: Sequence[str] | None = None,
    *,
    nbest: int | None = None,
    interval: float | None = None,
) -> list[Answer]:
    """What the model says of each text, as JSON can hold it.

    Args:
        estimator: Fitted to text.
        X: Strings, or token lists.
        ids: The names of the texts; else they are numbered from 0.
        nbest: Of a tagger, how many taggings to give beside the best.
        interval: Of a regressor, the level of the bounds to give.

    Returns:
        For each text `id`, and `text` or `tokens`. Of a tagger then `tokens`, `tags`, their
        `probabilities`, `spans` where tags stand for such, `label` and `label_probabilities`
        where texts have one, and `nbest`; of a classifier `label` and `probabilities`; of a
        regressor `prediction`, and with an interval `lower` and `upper`.
    """
    texts = as_texts(X, estimator.vocabulary_.options.tokenizer)
    given: Any = texts.tokens if texts.raw is None else texts.raw
    name = "tokens" if texts.raw is None else "text"
    found: list[Answer] = [
        {"id": row if ids is None else ids[row], name: text} for row, text in enumerate(given)
    ]
    if isinstance(estimator, SequenceTagger):
        _add_tags(found, estimator, texts, given)
        if nbest:
            _add_nbest(found, estimator, texts, given, nbest)
    elif isinstance(estimator, SequenceClassifier):
        for answer, row in zip(found, estimator.predict_proba(given), strict=True):
            answer["label"] = estimator.classes_[row.argmax()].item()
            answer["probabilities"] = _shares(estimator.classes_, row)
    elif isinstance(estimator, SequenceRegressor):
        predicted = estimator.predict(given, interval=interval)
        bounds = predicted if isinstance(predicted, Interval) else [predicted]
        for field, values in zip(Interval._fields, bounds, strict=False):
            for answer, value in zip(found, values, strict=True):
                answer[field] = np.asarray(value, dtype=np.float64).tolist()
    return found


def write_columns(found: Iterable[Answer], stream: TextIO) -> None:
    """Writes taggings as the reader `conll` reads them: token, tab, tag; a blank line after a text.

    A text's label stands above it, in a comment.
    """
    for answer in found:
        if "label" in answer:
            stream.write(f"# label = {answer['label']}\n")
        for token, tag in zip(answer["tokens"], answer["tags"], strict=True):
            stream.write(f"{' '.join(token.split())}\t{tag}\n")  # no token may bring a tab along
        stream.write("\n")


def _add_tags(found: list[Answer], tagger: SequenceTagger, texts: Texts, given: Any) -> None:
    place = {tag: column for column, tag in enumerate(tagger.tags_.tolist())}
    predicted = tagger.predict(given)
    probabilities = tagger.predict_proba(given)
    for row, answer in enumerate(found):
        tags = predicted[row] if tagger.classes_ is None else predicted[row][0]
        answer["tokens"] = texts.tokens[row]
        answer["tags"] = tags
        own = probabilities[row][np.arange(len(tags)), [place[tag] for tag in tags]]
        answer["probabilities"] = own.tolist()
    if scheme_of(tagger.spec_.tags):
        for answer, marked in zip(found, tagger.predict_spans(given), strict=True):
            answer["spans"] = [span._asdict() for span in marked]
    if tagger.classes_ is not None:
        labels = tagger.predict_label_proba(given)
        for answer, (_, label), row in zip(found, predicted, labels, strict=True):
            answer["label"] = label
            answer["label_probabilities"] = _shares(tagger.classes_, row)


def _add_nbest(
    found: list[Answer], tagger: SequenceTagger, texts: Texts, given: Any, count: int
) -> None:
    scheme = scheme_of(tagger.spec_.tags)
    for row, taggings in enumerate(tagger.predict_nbest(given, count)):
        found[row]["nbest"] = []
        for tags, probability in taggings:
            tagging: Answer = {"probability": probability, "tags": tags}
            if scheme:
                tagging["spans"] = [
                    _placed(texts, row, span.start, span.end, span.label)
                    for span in spans(tags, scheme=scheme)
                ]
            found[row]["nbest"].append(tagging)


def _placed(texts: Texts, row: int, start: int, end: int, label: str) -> Answer:
    """A span of tokens, in characters where the text was given as such."""
    if texts.raw is None or texts.offsets is None:
        text = " ".join(texts.tokens[row][start:end])
    else:
        start = int(texts.offsets[row][start, 0])
        end = int(texts.offsets[row][end - 1, 1])
        text = texts.raw[row][start:end]
    return {"text": text, "label": label, "start": start, "end": end}


def _shares(names: np.ndarray, row: np.ndarray) -> dict[str, float]:
    """Probabilities by name, the largest first."""
    order = np.argsort(-row, kind="stable")
    return {str(names[place]): float(row[place]) for place in order}
