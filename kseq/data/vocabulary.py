"""From tokens to the numbers that a model takes: words, letters, casing, affixes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from kseq.data.codepoints import Kind, codes_of, folding, kinds_of
from kseq.data.text_sequences import TextSequences
from kseq.data.tokenizers import Tokenizer
from kseq.errors import DataError
from kseq.schema import Count, Fraction, fill

PADDING, UNKNOWN, FIRST = 0, 1, 2  # ids; those of the vocabulary follow
CASINGS = 8  # padding, then the kinds of `casing_of`

Natural = Annotated[int, Field(ge=0, le=2_000_000)]


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """How text becomes numbers.

    Args:
        tokenizer: How strings are split: `words`, for scripts with blanks between words, or
            `characters`, one token each.
        words: Whether the model knows tokens as wholes.
        characters: Whether it reads the characters inside each token.
        casing: Whether it is told how a token is written: small, capital, in digits and so on.
        affixes: It is told the first and last 1 to this many characters of a token; 0 for none.
        lowercase: Whether `The` and `the` are one word. Characters keep their case.
        digits: Whether all digits are one in words, so that `1984` and `2001` are `0000`.
        min_count: Words that occur less often in training are unknown.
        unknown_rate: The probability that a word seen once in training, without a vector, is shown
            as unknown, so that the model learns what to do with words that it never saw.
        word_dropout: The probability that any other word is shown as unknown in training, so that
            the model learns to tell from the letters and the words around it as well.
        max_characters: Characters of a token that are read; the rest is not.
        vectors: A file of pretrained word vectors, in the text format of GloVe or fastText.
        extra_vectors: Rows of that file that are kept beside those of the training words, from the
            start of the file, so that words the training never showed have a meaning too.
    """

    tokenizer: Tokenizer = "words"
    words: bool = True
    characters: bool = True
    casing: bool = False
    affixes: Annotated[int, Field(ge=0, le=8)] = 0
    lowercase: bool = True
    digits: bool = True
    min_count: Count = 1
    unknown_rate: Fraction = 0.5
    word_dropout: Fraction = 0.0
    max_characters: Annotated[int, Field(gt=0, le=256)] = 24
    vectors: str | None = None
    extra_vectors: Natural = 100_000


@dataclass(frozen=True)
class Vocabulary:
    """What the training text decided; turns tokens into ids.

    Id 0 is padding, 1 is unknown, and the entries of each list follow from 2.

    Args:
        options: How text becomes numbers.
        words: The known words, folded.
        characters: The known characters.
        prefixes: The known beginnings.
        suffixes: The known ends.
        rare: Ids of the words that occurred once in training.
    """

    options: TextOptions
    words: list[str] = field(default_factory=list)
    characters: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    suffixes: list[str] = field(default_factory=list)
    rare: list[int] = field(default_factory=list)

    @classmethod
    def learn(
        cls,
        texts: Iterable[Sequence[str]],
        options: TextOptions,
        known: Sequence[str] = (),
    ) -> Vocabulary:
        """The vocabulary of the training texts.

        Args:
            texts: Token lists.
            options: How text becomes numbers.
            known: Words that are known beside those of the texts, for instance from vectors. None
                of them counts as rare.

        Example:
            >>> options = TextOptions(min_count=2)
            >>> Vocabulary.learn([["The", "cat", "the", "dog"]], options).words
            ['the']
        """
        counts = Counter(token for text in texts for token in text)
        fold = Folder(options)
        words: Counter[str] = Counter()
        for token, count in counts.items():
            words[fold(token)] += count
        given = dict.fromkeys(known)
        kept = [word for word, count in words.most_common() if count >= options.min_count]
        listed = dict.fromkeys(kept) | given if options.words else {}
        rare = [
            place
            for place, word in enumerate(listed, start=FIRST)
            if words[word] == 1 and word not in given
        ]
        letters: Counter[str] = Counter()
        for token, count in counts.items():
            letters.update(dict.fromkeys(token, count))
        affixes = range(1, options.affixes + 1)
        prefixes = Counter(word[:n] for word in words for n in affixes if len(word) >= n)
        suffixes = Counter(word[-n:] for word in words for n in affixes if len(word) >= n)
        return cls(
            options,
            words=list(listed),
            characters=[c for c, _ in letters.most_common()] if options.characters else [],
            prefixes=[affix for affix, count in prefixes.most_common() if count > 1],
            suffixes=[affix for affix, count in suffixes.most_common() if count > 1],
            rare=rare,
        )

    @cached_property
    def _index(self) -> dict[str, dict[str, int]]:
        """The ids of the entries of each list; made once, for a large list takes its time."""
        names = ("words", "characters", "prefixes", "suffixes")
        return {
            name: {entry: place for place, entry in enumerate(getattr(self, name), start=FIRST)}
            for name in names
        }

    @cached_property
    def _fold(self) -> Folder:
        return Folder(self.options)

    @property
    def streams(self) -> dict[str, int]:
        """The inputs of the model by name, and how many ids each can have."""
        options = self.options
        sizes = {
            "words": (options.words, len(self.words)),
            "characters": (options.characters, len(self.characters)),
            "prefixes": (options.affixes > 0, len(self.prefixes)),
            "suffixes": (options.affixes > 0, len(self.suffixes)),
        }
        streams = {name: FIRST + size for name, (wanted, size) in sizes.items() if wanted}
        return {**streams, "casing": CASINGS} if options.casing else streams

    def word_ids(self, tokens: Sequence[str]) -> np.ndarray:
        """The word id of each token."""
        known, fold = self._index["words"], self._fold
        ids = {token: known.get(fold(token), UNKNOWN) for token in dict.fromkeys(tokens)}
        return np.array([ids[token] for token in tokens], np.int64)

    def places(self, words: Sequence[str]) -> np.ndarray:
        """The ids of known words."""
        return np.array([self._index["words"][word] for word in words], np.int64)

    def encode(self, texts: Sequence[Sequence[str]]) -> TextSequences:
        """The ids of token lists.

        Example:
            >>> vocabulary = Vocabulary.learn([["a", "b", "a"]], TextOptions(characters=False))
            >>> vocabulary.encode([["b", "c"]]).inputs([0])["words"]
            array([[3, 1]], dtype=int32)
        """
        types: dict[str, int] = {}
        rows = [
            np.fromiter((types.setdefault(t, len(types) + 1) for t in text), np.int32, len(text))
            for text in texts
        ]
        hiding = np.full(FIRST + len(self.words), self.options.word_dropout)
        hiding[self.rare] = self.options.unknown_rate
        hiding[:FIRST] = 0.0
        return TextSequences(
            rows,
            np.array([len(row) for row in rows], np.int64),
            self._tables(list(types)),
            hiding,
        )

    def _tables(self, tokens: list[str]) -> dict[str, np.ndarray]:
        """For each stream the ids of each distinct token; row 0 is padding."""
        options = self.options
        folded = [self._fold(token) for token in tokens]
        tables: dict[str, np.ndarray] = {}
        if options.words:
            tables["words"] = _column(folded, self._index["words"])
        if options.characters:
            most = options.max_characters
            known = self._index["characters"]
            ids = [[known.get(c, UNKNOWN) for c in token[:most]] for token in tokens]
            width = max(map(len, ids), default=1)
            table = np.zeros((len(tokens) + 1, width), np.int32)
            for row, letters in enumerate(ids, start=1):
                table[row, : len(letters)] = letters
            tables["characters"] = table
        for name, end in (("prefixes", False), ("suffixes", True)):
            if not options.affixes:
                break
            known = self._index[name]
            # A token shorter than the affix has none of that length: padding.
            tables[name] = np.stack(
                [
                    _column([_affix(word, n, end) for word in folded], known)
                    for n in range(1, options.affixes + 1)
                ],
                axis=1,
            )
        if options.casing:
            tables["casing"] = np.array([0, *map(casing_of, tokens)], np.int32)
        return tables

    def to_dict(self) -> dict[str, Any]:
        """The vocabulary as plain values, for the artefact."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Vocabulary:
        """The inverse of `to_dict`.

        Raises:
            DataError: If something is missing or of the wrong kind.
        """
        if not isinstance(values, Mapping) or not isinstance(values.get("options"), Mapping):
            raise DataError("vocabulary: options: missing")
        options, mistakes = fill("vocabulary.options", TextOptions, values["options"])
        if mistakes:
            raise DataError(mistakes[0])
        lists = {
            name: _entries(values, name, str)
            for name in ("words", "characters", "prefixes", "suffixes")
        }
        if any(len(character) != 1 for character in lists["characters"]):
            raise DataError("vocabulary: characters: expected one character each")
        rare = _entries(values, "rare", int)
        if rare and not FIRST <= min(rare) <= max(rare) < FIRST + len(lists["words"]):
            raise DataError("vocabulary: rare: expected ids of words")
        return cls(TextOptions(**options), **lists, rare=rare)


class Folder:
    """Folds words: case and digits, each character by its own."""

    def __init__(self, options: TextOptions) -> None:
        keys, values = folding(options.lowercase, options.digits)
        self.table = dict(zip(keys.tolist(), values.tolist(), strict=True))

    def __call__(self, token: str) -> str:
        """The token as it is looked up."""
        return token.translate(self.table)


def casing_of(token: str) -> int:
    """How a token is written.

    1 small, 2 capital, 3 with an initial capital, 4 mixed, 5 digits alone, 6 letters and digits,
    7 neither.

    Example:
        >>> [casing_of(token) for token in ("the", "NATO", "The", "iPhone", "1984", "B2B", "!")]
        [1, 2, 3, 4, 5, 6, 7]
    """
    kinds = kinds_of(codes_of(token))
    upper = int((kinds == Kind.UPPER).sum())
    lower = int((kinds == Kind.LETTER).sum())
    digits = int((kinds == Kind.DIGIT).sum())
    if not upper + lower:
        return 5 if digits else 7
    if digits:
        return 6
    if not upper:
        return 1
    if not lower:
        return 2 if upper > 1 else 3
    return 3 if upper == 1 and kinds[0] == Kind.UPPER else 4


def _entries(values: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    entries = values.get(name)
    if not isinstance(entries, list) or any(type(entry) is not kind for entry in entries):
        wish = "strings" if kind is str else "integers"
        raise DataError(f"vocabulary: {name}: expected a list of {wish}")
    if len(set(entries)) < len(entries):
        raise DataError(f"vocabulary: {name}: something stands there twice")
    return entries


def _column(entries: Sequence[str], known: Mapping[str, int]) -> np.ndarray:
    ids = (known.get(entry, UNKNOWN) if entry else PADDING for entry in entries)
    return np.array([PADDING, *ids], np.int32)


def _affix(word: str, length: int, end: bool) -> str:
    if len(word) < length:
        return ""
    return word[-length:] if end else word[:length]
