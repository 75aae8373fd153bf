"""What a served text model is asked, and should answer, before it is published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kseq.data.texts import Texts, as_texts
from kseq.data.vocabulary import Vocabulary
from kseq.serving.text_endpoints import TEXT, TOKENS
from kseq.serving.verify import Case

# What no vocabulary can be counted on to hold: a served model must not stumble over it.
_STRANGE = ["Zyx'qv", "123,456.78", "😀", "👨‍👩‍👧", "שלום", "北京", "é", "ΣΊΣΥΦΟΣ", "@a", "!", "İ"]

Answer = Callable[[Texts], dict[str, np.ndarray]]


def text_cases(vocabulary: Vocabulary, answer: Answer, *, rows: int = 7) -> list[Case]:
    """Requests to both signatures, and what the estimator answers.

    The texts are made up from the vocabulary: an artefact holds no training rows.

    Args:
        vocabulary: The model's.
        answer: The named outputs for texts, as the signatures should give them.
        rows: Texts in the larger requests.
    """
    rng = np.random.default_rng(0)
    known = [word for word in vocabulary.words if word.strip() == word and " " not in word]
    known = known or vocabulary.characters or ["a"]
    lists = []
    for length in np.linspace(0, 17, rows).round().astype(int).tolist():
        words = [known[place] for place in rng.integers(0, len(known), length)]
        lists.append([w if rng.random() < 0.7 else str(rng.choice(_STRANGE)) for w in words])
    tokenizer = vocabulary.options.tokenizer
    cases = []
    for batch in (lists, [lists[-1]], [lists[0]]):
        texts = as_texts([list(tokens) for tokens in batch], tokenizer)
        cases.append(Case(TOKENS, token_request(texts.tokens), answer(texts)))
        raw = [" ".join(tokens) for tokens in batch]
        cases.append(Case(TEXT, {"text": np.array(raw, str)}, answer(as_texts(raw, tokenizer))))
    return cases


def token_request(tokens: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """Token lists as the signature `serve_tokens` takes them: filled up, with their lengths.

    Example:
        >>> token_request([["Bo", "left"], []])["lengths"]
        array([2, 0], dtype=int32)
    """
    lengths = np.array([len(each) for each in tokens], np.int32)
    width = max(1, int(lengths.max()))
    rows = [[*each, *[""] * (width - len(each))] for each in tokens]
    return {"tokens": np.array(rows, str), "lengths": lengths}


def filled_up(rows: Sequence[Sequence[Any]], filler: Any, *, least: int = 0) -> np.ndarray:
    """Rows of unequal length as one array.

    Args:
        rows: The rows.
        filler: What stands behind a row's end.
        least: The fewest columns.

    Example:
        >>> filled_up([[1], [2, 3]], -1).tolist()
        [[1, -1], [2, 3]]
    """
    width = max(least, *(len(row) for row in rows))
    kind = str if isinstance(filler, str) else np.int32 if isinstance(filler, int) else np.float32
    array = np.full((len(rows), width), filler, dtype=object if kind is str else kind)
    for place, row in zip(array, rows, strict=True):
        place[: len(row)] = row
    return array.astype(str) if kind is str else array
