"""The targets of tagging as users have them, in one checked form."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kseq.data.texts import Texts
from kseq.errors import DataError, shown
from kseq.tags import OUTSIDE, repair, scheme_of


@dataclass(frozen=True)
class Gold:
    """Checked targets.

    Args:
        tags: A tag for each token of each text.
        labels: A label for each text, where there are labels.
    """

    tags: list[list[str]]
    labels: list[str] | None = None

    def __len__(self) -> int:
        return len(self.tags)

    def take(self, rows: np.ndarray) -> Gold:
        """The targets at `rows`."""
        labels = None if self.labels is None else [self.labels[row] for row in rows]
        return Gold([self.tags[row] for row in rows], labels)

    def names(self) -> list[str]:
        """The tags, sorted."""
        return sorted({tag for tags in self.tags for tag in tags})


def read_gold(y: Any, texts: Texts, name: str = "y") -> Gold:
    """Checks the targets of texts.

    Args:
        y: Tag lists, or pairs of a tag list and a label.
        texts: What they belong to.
        name: What to call them in messages.

    Raises:
        DataError: If they are not one tag a token, or some texts have a label and some none.
    """
    if y is None or isinstance(y, (str, bytes)) or not hasattr(y, "__len__"):
        raise DataError(f"{name}: expected a list of tags for each text, got {shown(y)}")
    if len(y) != len(texts):
        raise DataError(f"{name}: has {len(y)} targets for {len(texts)} texts")
    items = list(y)
    labelled = [_is_pair(item) for item in items]
    if any(labelled) and not all(labelled):
        row = labelled.index(False)
        raise DataError(
            f"{name}: text {row}: has no label beside its tags, but text {labelled.index(True)} has"
        )
    lists = [item[0] for item in items] if any(labelled) else items
    tags = [_tags(item, f"{name}: text {row}") for row, item in enumerate(lists)]
    for row, (each, tokens) in enumerate(zip(tags, texts.tokens, strict=True)):
        if len(each) != len(tokens):
            raise DataError(
                f"{name}: text {row}: has {len(each)} tags for {len(tokens)} tokens "
                f"({shown(' '.join(tokens))})"
            )
    if not any(labelled):
        return Gold(tags)
    for row, item in enumerate(items):
        if not isinstance(item[1], str):
            raise DataError(f"{name}: text {row}: expected a label as text, got {shown(item[1])}")
    return Gold(tags, [str(item[1]) for item in items])


def repaired(gold: Gold, *, strict: bool, name: str = "y") -> Gold:
    """Mends taggings that their scheme does not allow, such as an `I-` after `O`.

    Args:
        gold: The targets.
        strict: Refuse them instead.
        name: What to call them in messages.

    Raises:
        DataError: If there is one and `strict`.
    """
    scheme = scheme_of(gold.names())
    if scheme is None:
        _warn_of_a_stray(gold, name)
        return gold
    count, first, mended = 0, -1, []
    for row, tags in enumerate(gold.tags):
        better, changed = repair(tags, scheme=scheme)
        if changed and first < 0:
            first = row
        count += changed
        mended.append(better)
    if not count:
        return gold
    place = next(
        i for i, (a, b) in enumerate(zip(gold.tags[first], mended[first], strict=True)) if a != b
    )
    what = (
        f"{name}: text {first}, token {place}: {gold.tags[first][place]!r} cannot stand there in "
        f"{scheme.upper()}"
    )
    if strict:
        raise DataError(f"{what}; mend it, or set task.strict to false")
    warnings.warn(
        f"{what}; {count} tag{'s' if count > 1 else ''} repaired, this one to "
        f"{mended[first][place]!r}",
        UserWarning,
        stacklevel=4,
    )
    return Gold(mended, gold.labels)


def rows_without_unseen(
    texts: Texts, gold: Gold, tags: np.ndarray, labels: np.ndarray | None, name: str
) -> np.ndarray:
    """The validation texts without a tag or label that the training has not.

    Args:
        texts: The validation texts.
        gold: Their targets.
        tags: The tags of the training.
        labels: Its labels, if it has any.
        name: What to call the validation targets in messages.

    Returns:
        Their rows, with one warning if that is not all.

    Raises:
        DataError: If the ones have labels and the others have none.
    """
    if (gold.labels is None) != (labels is None):
        one, other = ("y", name) if gold.labels is None else (name, "y")
        raise DataError(f"{one} has a label beside the tags of each text, but {other} has none")
    strange = _strange(gold, tags, labels)
    rows = np.flatnonzero([not found for found in strange])
    if len(rows) < len(gold):
        first = next(row for row, found in enumerate(strange) if found)
        warnings.warn(
            f"{name}: text {first} ({shown(' '.join(texts.tokens[first]))}): {strange[first][0]!r} "
            f"does not occur in training; {len(gold) - len(rows)} of {len(gold)} validation texts "
            "are left out for such",
            UserWarning,
            stacklevel=4,
        )
    return rows


def refuse_unseen(gold: Gold, tags: np.ndarray, labels: np.ndarray | None) -> None:
    """Refuses targets that the first fit did not have, for a training that goes on.

    Raises:
        DataError: If there are such.
    """
    if (gold.labels is None) != (labels is None):
        had, have = ("none", "some") if labels is None else ("some", "none")
        raise DataError(
            f"y: the first fit had {had} with a label beside their tags, these have {have}"
        )
    for row, found in enumerate(_strange(gold, tags, labels)):
        if found:
            raise DataError(
                f"y: text {row}: {found[0]!r} does not occur in the first fit; its tags are "
                f"{', '.join(tags)}"
            )


def _strange(gold: Gold, tags: np.ndarray, labels: np.ndarray | None) -> list[list[str]]:
    """Tags and labels of each text that are not among these."""
    known = set(tags.tolist())
    strange = [sorted(set(each) - known) for each in gold.tags]
    if labels is not None:
        known = set(labels.tolist())
        for found, label in zip(strange, gold.labels or [], strict=False):
            found += [] if label in known else [label]
    return strange


def _warn_of_a_stray(gold: Gold, name: str) -> None:
    """Says so where one tag makes plain tags of what otherwise were spans."""
    names = gold.names()
    spans = [tag for tag in names if scheme_of([tag])]
    if not spans or OUTSIDE not in names:
        return
    places = ((r, p, t) for r, tags in enumerate(gold.tags) for p, t in enumerate(tags))
    row, place, stray = next(
        each for each in places if each[2] != OUTSIDE and not scheme_of([each[2]])
    )
    warnings.warn(
        f"{name}: text {row}, token {place}: {stray!r} is neither O nor a prefix and a type, such "
        f"as {spans[0]!r}; so all tags are taken as plain, and there are no spans. Mend it, if "
        "there should be",
        UserWarning,
        stacklevel=5,
    )


def _is_pair(item: Any) -> bool:
    return (
        isinstance(item, tuple)
        and len(item) == 2
        and isinstance(item[0], (list, tuple, np.ndarray))
    )


def _tags(item: Any, where: str) -> list[str]:
    if isinstance(item, list) and len(item) == 2 and isinstance(item[0], list):
        raise DataError(f"{where}: expected a pair of tags and label as a tuple, got {shown(item)}")
    if isinstance(item, (str, bytes)) or not isinstance(item, (Sequence, np.ndarray)):
        raise DataError(f"{where}: expected a list of tags, got {shown(item)}")
    for place, tag in enumerate(item):
        if not isinstance(tag, str) or not tag:
            raise DataError(f"{where}, token {place}: expected a tag as text, got {shown(tag)}")
    return [str(tag) for tag in item]
