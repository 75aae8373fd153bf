"""A model's weights as named arrays, and back.

Keras names weights by path. The parts that it names itself carry counters (`gru_12`), which depend
on what the process built before; they are left out, and the position tells weights apart. An
explicit name of the same form (`gru_1`) loses its number too; `recurrent_1` keeps it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kseq.errors import ArtefactError

_SHOWN = 5
# What earlier versions of kseq had not and did not save, and what stands for it.
_YOUNGER = {
    "temperature/temperature": 1.0,
    "label_temperature/temperature": 1.0,
    "spread/least": 0.01,
}


def collect(model: keras.Model) -> dict[str, np.ndarray]:
    """All weights of a built model, trainable or not; without the states of seed generators.

    Example:
        >>> x = keras.Input((3,))
        >>> model = keras.Model(x, keras.layers.Dense(2, name="scores")(x))
        >>> [(name, array.shape) for name, array in collect(model).items()]
        [('0000 scores/kernel', (3, 2)), ('0001 scores/bias', (2,))]
    """
    return {
        name: np.asarray(keras.ops.convert_to_numpy(weight))
        for name, weight in _named(_stems(model), model.weights)
    }


def assign(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a built model the weights that `collect` returned.

    Every name, shape and type is compared before any weight is changed. Of an earlier kseq, which
    had neither, temperatures are 1 and the least spread is that of `WindowSpread`.

    Args:
        model: The model, built from the same recipe.
        arrays: Its weights by name.

    Raises:
        ArtefactError: If the two don't agree; the message lists the first differences.
    """
    saved = {name.partition(" ")[2] for name in arrays}
    stems = _stems(model)
    absent = [stem in _YOUNGER and stem not in saved for stem in stems]
    there = [place for place, gone in enumerate(absent) if not gone]
    weights = dict(_named([stems[p] for p in there], [model.weights[p] for p in there]))
    expected = {
        name: (tuple(weight.shape), keras.backend.standardize_dtype(weight.dtype))
        for name, weight in weights.items()
    }
    found = {name: (tuple(array.shape), array.dtype.name) for name, array in arrays.items()}
    differences = [
        f"{name}: the model has {_describe(expected.get(name))}, "
        f"the saved weights have {_describe(found.get(name))}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]
    if differences:
        shown = [f"  {difference}" for difference in differences[:_SHOWN]]
        if len(differences) > _SHOWN:
            shown.append(f"  and {len(differences) - _SHOWN} more")
        head = "the saved weights do not fit the model that the recipe builds:"
        raise ArtefactError("\n".join([head, *shown]))
    for name, weight in weights.items():
        weight.assign(arrays[name])
    for stem, gone, weight in zip(stems, absent, model.weights, strict=True):
        if gone:
            weight.assign(np.full(weight.shape, _YOUNGER[stem]))


def _describe(found: tuple[tuple[int, ...], str] | None) -> str:
    return "nothing" if found is None else f"{found[1]} {found[0]}"


def _named(stems: Sequence[str], weights: Sequence[Any]) -> list[tuple[str, Any]]:
    """Weights by their names, which say their place."""
    pairs = enumerate(zip(stems, weights, strict=True))
    return [(f"{place:04d} {stem}", weight) for place, (stem, weight) in pairs]


def _stems(model: keras.Model) -> list[str]:
    """The paths of weights without the counters in them."""
    automatic = {_snake(name) for name, _ in inspect.getmembers(keras.layers, inspect.isclass)}
    automatic |= {_snake(custom.__name__) for custom in _registered()}
    automatic |= {"sequential", "functional", "model"}

    def stem(part: str) -> str:
        match = re.fullmatch(r"(.+)_\d+", part)
        return match[1] if match and match[1] in automatic else part

    return ["/".join(stem(part) for part in weight.path.split("/")) for weight in model.weights]


def _registered() -> list[type]:
    objects = keras.saving.get_custom_objects().values()
    return [custom for custom in objects if inspect.isclass(custom)]


def _snake(name: str) -> str:
    """The automatic name of a class's first layer: `GRUCell` is `gru_cell`."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
