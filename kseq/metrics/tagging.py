"""Scores of one tag per token: spans such as names, or plain tags such as parts of speech."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from kseq.errors import DataError, shown
from kseq.metrics.evaluation import Evaluation, counted
from kseq.metrics.span_arrays import SpanArrays, SpanReader
from kseq.tags import OUTSIDE, Reading, Scheme, scheme_of

Tagging = Sequence[Sequence[str]]

BASELINE = "commonest tag of each word"
_READINGS = {
    "conlleval": "in conlleval's reading: a stray I- begins a span",
    "strict": "in the strict reading: a stray I- belongs to no span",
}


def evaluate_tagging(
    truth: Tagging,
    predicted: Tagging,
    *,
    baseline: Tagging | None = None,
    known: Any = None,
    names: Collection[str] = (),
    reading: Reading = "conlleval",
    labels: Sequence[Any] | None = None,
    predicted_labels: Sequence[Any] | None = None,
    baseline_labels: Sequence[Any] | None = None,
) -> Evaluation:
    """Compares predicted tags with the true ones.

    A span is right where sequence, start, end and type all agree. Of a span scheme (BIO or BIOES,
    see `kseq.tags`):

    - `f1` (primary), `precision`, `recall`: over the spans of all sequences together.
    - `macro_f1`: the F1 of each type in the truth or the predictions, averaged.
    - `boundary_f1`: `f1` without the type.
    - `accuracy`: the share of tokens with the right tag.

    Of plain tags `accuracy` (primary) and `macro_f1` over the tags. Then, of both:

    - `unknown_accuracy`: the accuracy on words that the training did not have, if `known` is given.
    - `label_accuracy` and `exact_match`, if each sequence has a label of its own: the share of
      sequences with the right label, and of those whose tags are all right too (in a span scheme:
      with the right spans and no other).

    A rate of nothing, such as the precision where nothing was found, counts 0, as in conlleval;
    so does the F1 where nothing was there and nothing found. `notes["per_type"]` holds precision,
    recall, F1 and support (how often in the truth) of each type, or of each plain tag.

    Args:
        truth: True tags, a list for each sequence, in the scheme of the predicted ones. The strict
            reading needs IOB1 converted first.
        predicted: Predicted tags, as many.
        baseline: The tagging to compare with, each word's commonest tag in the training data.
        known: Whether the training had the word, a flag for each token: nested like the tags, or
            for the tokens of all sequences one after the other.
        names: The tags that the model knows, if the truth may hold others. They also tell the
            scheme where no true tag does.
        reading: What to make of taggings that the scheme does not have; see `kseq.tags.spans`.
        labels: True label of each sequence.
        predicted_labels: Predicted label of each sequence.
        baseline_labels: The label that the baseline gives each sequence.

    Raises:
        DataError: If there is nothing to compare, lengths differ, or a predicted tag is not of the
            truth's scheme.

    Reference:
        Tjong Kim Sang, De Meulder (2003), Introduction to the CoNLL-2003 shared task.

    Example:
        >>> scored = evaluate_tagging(
        ...     [["B-person", "I-person", "O"], ["O", "B-place"]],
        ...     [["B-person", "I-person", "O"], ["B-place", "I-place"]],
        ... )
        >>> scored.metrics["f1"], scored.metrics["accuracy"]
        (0.5, 0.6)
    """
    taggings = {"model": predicted} | ({} if baseline is None else {BASELINE: baseline})
    given = {"model": predicted_labels, BASELINE: baseline_labels}
    if reading not in _READINGS:
        raise DataError(f"expected a reading of {list(_READINGS)}, got {shown(reading)}")
    _check(truth, taggings)
    _check_labels(labels, given, len(truth))
    scheme = _scheme(truth, taggings, names)
    unknown = None if known is None else ~_flags(known, truth)

    occurring = sorted(set(chain.from_iterable(chain(truth, *taggings.values()))))
    reader = SpanReader(occurring, list(map(len, truth)), scheme=scheme, reading=reading)
    true = reader.read(truth)
    found = {row: reader.read(tagging) for row, tagging in taggings.items()}
    scores, per_type = {}, {}
    for row, answer in found.items():
        per_type[row] = _per_type(true, answer, reader.kinds)
        scores[row] = _scores(true, answer, per_type[row], scheme, unknown)
        if labels is not None:
            scores[row] |= _label_scores(labels, given[row], reader, true, answer)

    notes = {"compared": f"{counted(_tokens(truth), 'token')} in {counted(len(truth), 'sequence')}"}
    if scheme:
        notes["compared"] += f", {counted(len(true.start), 'true span')}"
        notes["reading"] = reading_note(scheme, reading)
        wrong = found["model"].invalid
        if wrong:
            notes["invalid"] = (
                f"{wrong:,} of {counted(_tokens(truth), 'predicted tag')} cannot stand where "
                f"{'it does' if wrong == 1 else 'they do'} in {scheme.upper()}"
            )
    undefined = {}
    if unknown is not None and not unknown.any():
        undefined["unknown_accuracy"] = "the training had every word"
    for row in taggings:
        if labels is not None and given[row] is None:
            why = "no label is given for the sequences"
            undefined |= {f"{row}.{name}": why for name in ("label_accuracy", "exact_match")}
    return Evaluation(
        task="tagging",
        metrics=scores.pop("model"),
        baselines=scores,
        primary="f1" if scheme else "accuracy",
        truth=_plain(truth, labels),
        predicted=_plain(predicted, predicted_labels),
        labels=list(per_type["model"]),
        items=len(truth),
        notes={
            **notes,
            **_unseen(truth, names),
            "per_type": per_type["model"],
            **({"undefined": undefined} if undefined else {}),
        },
    )


def reading_note(scheme: Scheme, reading: Reading) -> str:
    """What an evaluation says of how spans were read.

    Example:
        >>> reading_note("bio", "strict")
        'spans of BIO tags in the strict reading: a stray I- belongs to no span'
    """
    return f"spans of {scheme.upper()} tags {_READINGS[reading]}"


def _scores(
    true: SpanArrays,
    answer: SpanArrays,
    per_type: Mapping[str, Mapping[str, float]],
    scheme: Scheme | None,
    unknown: np.ndarray | None,
) -> dict[str, float]:
    """The metrics of one row but those of labels, the primary one first."""
    hit = true.codes == answer.codes
    accuracy = float(hit.mean())
    macro = sum(kind["f1"] for kind in per_type.values()) / max(len(per_type), 1)
    if scheme is None:
        scores = {"accuracy": accuracy, "macro_f1": macro}
    else:
        edges, right = (int(hits.sum()) for hits in answer.found_in(true))
        found, there = len(answer.start), len(true.start)
        rates = _rates(right, found, there)
        scores = {
            "f1": rates.pop("f1"),
            **rates,
            "macro_f1": macro,
            "boundary_f1": _rates(edges, found, there)["f1"],
            "accuracy": accuracy,
        }
    if unknown is not None:
        scores["unknown_accuracy"] = float(hit[unknown].mean()) if unknown.any() else math.nan
    return scores


def _label_scores(
    labels: Sequence[Any],
    given: Sequence[Any] | None,
    reader: SpanReader,
    true: SpanArrays,
    answer: SpanArrays,
) -> dict[str, float]:
    """The accuracy of the sequences' labels, and the share with everything right."""
    if given is None:
        return {"label_accuracy": math.nan, "exact_match": math.nan}
    label = np.array([bool(a == b) for a, b in zip(labels, given, strict=True)])
    _, right = answer.found_in(true)
    there, found, both = (
        np.bincount(reader.sequence[starts], minlength=len(label))
        for starts in (true.start, answer.start, answer.start[right])
    )
    exact = label & (both == there) & (both == found)
    return {"label_accuracy": float(label.mean()), "exact_match": float(exact.mean())}


def _per_type(
    true: SpanArrays, answer: SpanArrays, kinds: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of each type in the truth or the answer, by name."""
    _, hit = answer.found_in(true)
    there, found, right = (
        np.bincount(which, minlength=len(kinds)).tolist()
        for which in (true.kind, answer.kind, answer.kind[hit])
    )
    return {
        kind: {**_rates(right[k], found[k], there[k]), "support": there[k]}
        for k, kind in enumerate(kinds)
        if there[k] or found[k]
    }


def _rates(right: int, found: int, there: int) -> dict[str, float]:
    """Precision, recall and F1; a rate of nothing is 0."""
    return {
        "precision": right / found if found else 0.0,
        "recall": right / there if there else 0.0,
        "f1": 2 * right / (found + there) if found + there else 0.0,
    }


def _unseen(truth: Tagging, names: Collection[str]) -> dict[str, str]:
    """A note on true tags that the model does not know."""
    known = set(names)
    unseen = [tag for tag in chain.from_iterable(truth) if known and tag not in known]
    if not unseen:
        return {}
    kinds = sorted(set(unseen))
    listed = ", ".join([*kinds[:10], *(["..."] if len(kinds) > 10 else [])])
    return {
        "unseen_tags": f"{len(unseen):,} of {counted(_tokens(truth), 'true tag')} were not seen in "
        f"training ({listed}): they count as mistakes"
    }


def _plain(tagging: Tagging, labels: Sequence[Any] | None) -> list[Any]:
    """The answer in the form of the data."""
    rows = [list(tags) for tags in tagging]
    return rows if labels is None else list(zip(rows, labels, strict=True))


def _tokens(tagging: Tagging) -> int:
    return sum(map(len, tagging))


# --- what can be compared ---


def _check(truth: Tagging, taggings: Mapping[str, Tagging]) -> None:
    for row, tagging in {"truth": truth, **taggings}.items():
        if len(tagging) != len(truth):
            raise DataError(
                f"{row}: expected a tagging for each of {counted(len(truth), 'sequence')}, "
                f"got {len(tagging)}"
            )
        for number, (true, tags) in enumerate(zip(truth, tagging, strict=True)):
            if isinstance(tags, str):
                raise DataError(
                    f"{row}, sequence {number}: expected a list of tags, got the text {shown(tags)}"
                )
            if len(tags) != len(true):
                raise DataError(
                    f"{row}, sequence {number}: expected {counted(len(true), 'tag')} as in the "
                    f"truth, got {len(tags)}"
                )
    if not _tokens(truth):
        raise DataError("expected at least one token to compare, got none")


def _check_labels(
    labels: Sequence[Any] | None, given: Mapping[str, Sequence[Any] | None], count: int
) -> None:
    if labels is None:
        if any(values is not None for values in given.values()):
            raise DataError("labels were predicted and there are no true ones: give `labels` too")
        return
    for row, values in {"truth": labels, **given}.items():
        if values is not None and len(values) != count:
            raise DataError(
                f"{row}: expected a label for each of {counted(count, 'sequence')}, "
                f"got {len(values)}"
            )


def _scheme(
    truth: Tagging, taggings: Mapping[str, Tagging], names: Collection[str]
) -> Scheme | None:
    """The scheme of all tags; the truth, or what the model knows, says whether there is one."""
    known = {*names, *chain.from_iterable(truth)}
    if scheme_of(names):
        for number, tags in enumerate(truth):
            if scheme_of({*tags, "B-x"}) is None:
                raise DataError(
                    f"truth, sequence {number}: expected tags of a span scheme as those of the "
                    f"model, got {shown(list(tags))}"
                )
    if scheme_of(known) is None and not known <= {OUTSIDE}:
        return None
    for row, tagging in taggings.items():
        for number, tags in enumerate(tagging):
            if scheme_of({*tags, "B-x"}) is None:  # with O alone there is no telling
                raise DataError(
                    f"{row}, sequence {number}: expected tags of a span scheme as in the truth, "
                    f"got {shown(list(tags))}"
                )
    return scheme_of(known.union(*map(chain.from_iterable, taggings.values())))


def _flags(known: Any, truth: Tagging) -> np.ndarray:
    """One flag for each token, sequences one after the other."""
    rows = list(known)
    if rows and np.ndim(rows[0]):
        lengths = [len(row) for row in rows]
        if lengths != [len(tags) for tags in truth]:
            raise DataError("known: expected as many flags for each sequence as it has tokens")
        rows = list(chain.from_iterable(rows))
    tokens = _tokens(truth)
    if len(rows) != tokens:
        raise DataError(
            f"known: expected a flag for each of {counted(tokens, 'token')}, got {len(rows)}"
        )
    return np.array(rows, dtype=bool)
