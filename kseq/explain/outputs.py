"""Which number of a model's answer is explained: a weighted sum of its scores, and its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from kseq.data.texts import Texts
from kseq.errors import DataError, shown
from kseq.estimators.base import Estimator
from kseq.estimators.classifier import SequenceClassifier
from kseq.estimators.forecaster import Forecaster
from kseq.estimators.regressor import SequenceRegressor
from kseq.estimators.tagger import SequenceTagger
from kseq.estimators.video import VideoPredictor
from kseq.registry import suggest
from kseq.tags import OUTSIDE, scheme_of

_MOST_NAMES = 40  # that a message lists


@dataclass(frozen=True)
class Asked:
    """One number of an answer.

    Args:
        weights: What each score of one sequence counts, of their shape.
        words: What it is, for a title.
        offset: What is added to the sum.
        unit: What counts as one on its scale.
        head: The output of a network with several.
    """

    weights: np.ndarray
    words: str
    offset: float = 0.0
    unit: float = 1.0
    head: str = "tags"


def head_of(estimator: Estimator, output: Any) -> str:
    """The output of the network that is asked about: `tags`, or of a tagger's label `classes`."""
    labels = getattr(estimator, "classes_", None)
    of_tagger = isinstance(estimator, SequenceTagger) and labels is not None
    return "classes" if of_tagger and isinstance(output, str) else "tags"


def asked(estimator: Estimator, scores: np.ndarray, output: Any, texts: Texts | None) -> Asked:
    """What is to be explained.

    Args:
        estimator: A fitted estimator.
        scores: The scores of the sequence, without the batch.
        output: What the user asks for; None for what the kind of estimator suggests.
        texts: The sequence, if it is text.

    Raises:
        DataError: If the estimator has no such output.
    """
    if isinstance(estimator, SequenceTagger):
        assert texts is not None
        if head_of(estimator, output) == "classes":
            return _of_class(estimator.classes_, scores, output, "label", "classes")
        return _of_tag(estimator, scores, output, texts)
    if isinstance(estimator, SequenceClassifier):
        return _of_class(estimator.classes_, scores, output, "class")
    if isinstance(estimator, Forecaster):
        return _of_forecast(estimator, scores, output)
    if isinstance(estimator, VideoPredictor):
        return _of_frames(estimator, scores, output)
    assert isinstance(estimator, SequenceRegressor)
    return _of_number(estimator, scores, output)


def _one(scores: np.ndarray, place: Any, value: float = 1.0) -> np.ndarray:
    weights = np.zeros(scores.shape, np.float32)
    weights[place] = value
    return weights


def _of_class(
    classes: Any, scores: np.ndarray, output: Any, what: str, head: str = "tags"
) -> Asked:
    names = classes.tolist()
    if output is None:
        place = int(scores.argmax())
    elif output in names:
        place = names.index(output)
    else:
        raise DataError(f"output: {_none_of(output, names, what)}")
    return Asked(_one(scores, place), f"score of {what} {names[place]}", head=head)


def _none_of(output: Any, names: list[Any], what: str) -> str:
    """What is said of a name that is none."""
    listed = ", ".join(map(str, names[:_MOST_NAMES]))
    more = ", ..." if len(names) > _MOST_NAMES else ""
    better = suggest(output, [str(name) for name in names]) if isinstance(output, str) else ""
    return f"{shown(output)} is no {what} here{better}; there are {listed}{more}"


def _of_tag(tagger: SequenceTagger, scores: np.ndarray, output: Any, texts: Texts) -> Asked:
    tokens, names = texts.tokens[0], tagger.tags_.tolist()
    predicted: Any = tagger.predict([tokens])[0]
    predicted = predicted if tagger.classes_ is None else predicted[0]
    if output is None:
        place, tag = _surest(tagger, tokens, predicted), None
    elif isinstance(output, tuple) and len(output) == 2:
        place, tag = output
        output = place if tag is None else output
    else:
        place, tag = output, None
    if isinstance(place, str) and place in tokens:
        if tokens.count(place) > 1:
            raise DataError(
                f"output: {place!r} stands {tokens.count(place)} times in the text; give the place "
                f"of one, such as {tokens.index(place)}"
            )
        place = tokens.index(place)
    expected = "a token, or its place from 0 on, or a pair of it and a tag"
    if tagger.classes_ is not None:
        expected += f", or a label out of {shown(tagger.classes_.tolist())}"
    place = _place(place, len(tokens), expected, output)
    tag = predicted[place] if tag is None else tag
    if tag not in names:
        raise DataError(f"output: {_none_of(tag, names, 'tag')}")
    words = f"score of {tag} at {tokens[place]!r} (token {place})"
    return Asked(_one(scores, (place, names.index(tag))), words)


def _surest(tagger: SequenceTagger, tokens: list[str], predicted: list[str]) -> int:
    """The first token of the most certain span; without one the first that is not `O`, or 0."""
    if scheme_of(tagger.spec_.tags) is not None:
        spans = tagger.predict_spans([tokens])[0]
        if spans:
            return int(max(spans, key=lambda span: span.probability).start)
    return next((place for place, tag in enumerate(predicted) if tag != OUTSIDE), 0)


def _of_number(estimator: SequenceRegressor, scores: np.ndarray, output: Any) -> Asked:
    layer = estimator._models.servable.get_layer("prediction")
    mean, deviation = (ops.convert_to_numpy(each) for each in (layer.mean, layer.scale))
    step, target = 0, output
    if estimator.spec_.per_step:
        step, target = len(scores) - 1, 0
        if isinstance(output, tuple) and len(output) == 2:
            step, target = output
        elif output is not None:
            step = output
        expected = "a step from 0 on, or a pair of it and a target's place"
        step = _place(step, len(scores), expected, output)
    count = scores.shape[-1]
    target = _place(0 if target is None else target, count, "a target's place from 0 on", output)
    weights = _one(scores, (step, target) if estimator.spec_.per_step else target)
    words = "prediction" if count == 1 else f"prediction of target {target}"
    if estimator.spec_.per_step:
        words += f" at step {step}"
    unit = float(deviation[target])
    return Asked(weights * unit, words, offset=float(mean[target]), unit=unit)


def _of_forecast(estimator: Forecaster, scores: np.ndarray, output: Any) -> Asked:
    targets = list(estimator.targets_)
    target, ahead = output, None
    if isinstance(output, tuple) and len(output) == 2:
        target, ahead = output
    target = targets[0] if target is None else target
    if isinstance(target, bool) or target not in targets:
        raise DataError(
            f"output: expected a target out of {shown(targets)}, or a pair of it and a step ahead "
            f"from 1 on, got {shown(output)}"
        )
    place, horizon = targets.index(target), len(scores)
    name = f"forecast of {target}" if isinstance(target, str) or len(targets) > 1 else "forecast"
    unit = float(estimator.deviation_[place])
    if ahead is None:
        words = name if horizon == 1 else f"{name}, mean of {horizon} steps ahead"
        return Asked(_one(scores, np.s_[:, place], 1 / horizon), words, unit=unit)
    if not _whole(ahead) or not 1 <= ahead <= horizon:
        raise DataError(f"output: expected a step ahead from 1 to {horizon}, got {shown(ahead)}")
    words = f"{name}, {ahead} step{'' if ahead == 1 else 's'} ahead"
    return Asked(_one(scores, (ahead - 1, place)), words, unit=unit)


def _of_frames(estimator: VideoPredictor, scores: np.ndarray, output: Any) -> Asked:
    """The mean of a frame or of a region in it, on the scale of the pixels."""
    ahead, region = 1, None
    if isinstance(output, tuple) and len(output) == 2 and not _whole(output[1]):
        ahead, region = output
    elif output is not None:
        ahead = output
    sides = estimator.form_.sides
    if not _whole(ahead) or not 1 <= ahead <= len(scores):
        raise DataError(
            f"output: expected a frame ahead from 1 to {len(scores)}, or a pair of it and a "
            f"region, got {shown(output)}"
        )
    places = [(0, side) for side in sides] if region is None else region
    pairs = isinstance(places, Sequence) and len(places) == len(sides)
    if not pairs or not all(_span(pair, side) for pair, side in zip(places, sides, strict=True)):
        size = " x ".join(map(str, sides))
        raise DataError(
            f"output: expected a region as a pair (from, to) for each side of a frame of {size} "
            f"pixels, got {shown(region)}"
        )
    inside = tuple(slice(*pair) for pair in places)
    weights = _one(scores, (ahead - 1, *inside))
    top = float(estimator.form_.maximum)
    where = " x ".join(f"{low}:{high}" for low, high in places)
    words = f"mean of frame {ahead} ahead" + (f", pixels {where}" if region is not None else "")
    return Asked(weights * np.float32(top / weights.sum()), words, unit=top)


def _whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _span(pair: Any, side: int) -> bool:
    if not isinstance(pair, Sequence) or len(pair) != 2 or not all(map(_whole, pair)):
        return False
    return bool(0 <= pair[0] < pair[1] <= side)


def _place(place: Any, count: int, expected: str, output: Any) -> int:
    """A place out of so many.

    Raises:
        DataError: If it is none.
    """
    if not _whole(place):
        raise DataError(f"output: expected {expected}, got {shown(output)}")
    if not 0 <= place < count:
        raise DataError(
            f"output: expected {expected}; here they go from 0 to {count - 1}, got {place}"
        )
    return int(place)
