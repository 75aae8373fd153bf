"""The spans that a tagger finds, in the coordinates of what it was asked about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kseq.data.texts import Texts
from kseq.estimators.text_serving import filled_up
from kseq.tags import parse


class TextSpan(NamedTuple):
    """A span that was found.

    Args:
        text: Its text; of token lists the tokens, joined by blanks.
        label: Its type.
        start: Its first character, or its first token where tokens were given.
        end: The one after its last.
        probability: How sure the model is that exactly this span stands there.
    """

    text: str
    label: str
    start: int
    end: int
    probability: float


def collect_spans(
    texts: Texts,
    names: Sequence[str],
    answers: dict[str, list[np.ndarray]],
) -> list[list[TextSpan]]:
    """Spans of each text from the decoder's answers.

    Args:
        texts: What was asked about.
        names: The tags' names.
        answers: `tags`, `starts`, `ends` and `span_probabilities`, one array `(time,)` a text.
    """
    found = []
    for row, tokens in enumerate(texts.tokens):
        starts = np.flatnonzero(answers["starts"][row]).tolist()
        ends = (np.flatnonzero(answers["ends"][row]) + 1).tolist()
        spans = []
        for start, end in zip(starts, ends, strict=True):
            label = parse(names[answers["tags"][row][start]])[1]
            probability = float(answers["span_probabilities"][row][end - 1])
            if texts.raw is None or texts.offsets is None:
                span = TextSpan(" ".join(tokens[start:end]), label, start, end, probability)
            else:
                first = int(texts.offsets[row][start, 0])
                last = int(texts.offsets[row][end - 1, 1])
                span = TextSpan(texts.raw[row][first:last], label, first, last, probability)
            spans.append(span)
        found.append(spans)
    return found


def served_tags(
    texts: Texts,
    names: np.ndarray,
    labels: np.ndarray | None,
    answers: dict[str, list[np.ndarray]],
) -> dict[str, np.ndarray]:
    """What a saved tagger should answer, from what the estimator found.

    Args:
        texts: What was asked about.
        names: The tags' names.
        labels: The names of the labels of whole texts, if there are any.
        answers: All outputs of the model, an array a text.
    """
    tags = [names[ids].tolist() for ids in answers["tags"]]
    own: list[Any] = [
        np.take_along_axis(rows, ids[:, None], axis=1)[:, 0]
        for rows, ids in zip(answers["probabilities"], answers["tags"], strict=True)
    ]
    served = {"tags": filled_up(tags, "", least=1), "probabilities": filled_up(own, 0.0, least=1)}
    if "starts" in answers:
        spans = collect_spans(texts, names.tolist(), answers)
        for name, filler in (("label", ""), ("start", -1), ("end", -1), ("probability", 0.0)):
            rows = [[getattr(span, name) for span in each] for each in spans]
            served[f"span_{name}"] = filled_up(rows, filler)
    if labels is not None:
        scores = np.stack(answers["label_probabilities"])
        served |= {"label_probabilities": scores, "label": labels[scores.argmax(axis=1)]}
    return served
