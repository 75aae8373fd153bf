"""How many parameters a model can have at most, by arithmetic.

Keras allocates while it builds, so whether a recipe's model fits has to be known before. The bound
reads the parameter names that builders share (`units`, `filters`, `kernel_size`, ...); a test holds
it above the true count and near it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kseq.builders.clips import choose_patch
from kseq.builders.embedding import embedding_size, text_embedding
from kseq.schema import fill
from kseq.spec import Spec

GATES = {"rnn": 1, "gru": 3, "lstm": 4, "slstm": 4}


def parameter_bound(spec: Spec, parameters: Mapping[str, Any]) -> int:
    """An upper bound on the parameters of a builder's model.

    Args:
        spec: What the data decides.
        parameters: The builder's parameters, complete.

    Example:
        >>> from kseq.spec import Spec
        >>> parameter_bound(Spec(features=1, outputs=1), {"cell": "rnn", "units": 2})
        11
    """
    if spec.frame:
        return _of_frames(spec, parameters)
    filters = _list(parameters.get("filters"))
    kernels = _list(parameters.get("kernel_sizes")) or _list(parameters.get("kernel_size"))
    units = _list(parameters.get("units"))
    total, width = 0, spec.features
    if spec.streams:
        given, _ = fill("", text_embedding, parameters.get("embedding") or {}, skip=())
        width, total = embedding_size(spec, given)

    features = width
    for number, size in enumerate(filters):
        kernel = kernels[min(number, len(kernels) - 1)] if kernels else 1
        total += kernel * width * size + 5 * size  # with bias and batch normalisation
        width = size
    patterns = width if filters else 0

    patch = parameters.get("patch", 1)
    if units and patch > 1:
        total += (patch * width + 1) * units[0]
        width = units[0]
    if "dimension_shuffle" in parameters:  # the recurrence is beside the convolutions
        width = max(features, spec.time or 0)
    for size in units:
        total += _recurrent(parameters, width, size)
        width = size * _directions(parameters)

    context = width + patterns
    if parameters.get("readout") == "attention":
        total += context * (context + 2)
    scores = spec.outputs * (spec.horizon or 1)
    total += (context + 1) * (scores + spec.classes)
    if parameters.get("decoder") == "crf":
        total += spec.outputs * (spec.outputs + 2) + 1
    if spec.horizon:
        total += parameters.get("highway", 0) * spec.horizon
    if spec.future:
        hidden = min(context, 64)
        total += (context + spec.future + 1) * hidden + (hidden + 1) * spec.outputs
    return total


def _of_frames(spec: Spec, parameters: Mapping[str, Any]) -> int:
    """Of convolutional LSTMs over clips."""
    rank, patch = len(spec.frame), choose_patch(parameters.get("patch", 1), spec)
    span = parameters.get("kernel_size", 1) ** rank
    places = math.prod(math.ceil(side / patch) for side in spec.frame)
    folded = width = spec.features * patch**rank
    filters = _list(parameters.get("filters"))
    stack = 0
    for size in filters:
        stack += 4 * size * (span * (width + size) + 1)
        if parameters.get("peephole"):
            stack += 3 * size * (places if parameters["peephole"] == "diagonal" else 1)
        stack += 2 * size if parameters.get("layer_norm") else 0
        width = size
    if spec.horizon is None:
        return stack + (2 * width + 1) * spec.outputs
    both = parameters.get("form") == "encoder_forecaster"
    heads = 2 if both and parameters.get("reading_loss") else 1
    head = (sum(filters) + 1) * folded
    return (2 if both else 1) * stack + heads * head + 8  # and what counts the steps


def _recurrent(parameters: Mapping[str, Any], width: int, units: int) -> int:
    """One recurrent layer with what may belong to it."""
    cell = parameters.get("cell", "lstm")
    directions = _directions(parameters)
    count = GATES[cell] * units * (width + units + (2 if cell == "gru" else 1))
    if cell == "slstm":
        count += 3 * units * (units if parameters.get("peephole") == "full" else 1)
        count += width * units if parameters.get("skip") else 0
    count *= directions
    if parameters.get("residual"):
        count += width * units * directions
    if parameters.get("layer_norm"):
        count += 2 * units * directions
    return count


def _directions(parameters: Mapping[str, Any]) -> int:
    # What decodes tags always reads both ways.
    return 2 if parameters.get("bidirectional", "decoder" in parameters) else 1


def _list(value: Any) -> list[int]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
