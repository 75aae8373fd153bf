"""Recurrent layers without their GPU kernels.

A graph with cuDNN operations cannot run on a CPU, so what is exported, and the outputs that the
export is compared with, are computed without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


def recurrent(layer: keras.Layer) -> Iterator[Any]:
    """All layers that can choose cuDNN, at any depth: in wrappers, lists, nested models.

    Example:
        >>> inner = keras.layers.Bidirectional(keras.layers.GRU(2))
        >>> model = keras.Sequential([keras.Input((None, 3)), inner])
        >>> len({id(found) for found in recurrent(model)})
        2
    """
    seen: set[int] = set()
    waiting: list[Any] = [layer]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, keras.Layer):
            if hasattr(item, "use_cudnn"):
                yield item
            waiting.extend(vars(item).values())
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple | set):
            waiting.extend(item)


@contextmanager
def without_cudnn(model: keras.Model) -> Iterator[None]:
    """Keeps every recurrent layer of a model off cuDNN, and gives it its choice back."""
    before = [(layer, layer.use_cudnn) for layer in recurrent(model)]
    for layer, _ in before:
        layer.use_cudnn = False
    try:
        yield
    finally:
        for layer, choice in before:
            layer.use_cudnn = choice
