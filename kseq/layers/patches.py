"""Patches of a map folded into its channels, and back."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kseq")
class SpaceToDepth(keras.layers.Layer):
    """Folds each patch of a map into the channels of one place.

    Convolutions then have a map to work on that is smaller by the patch along each side. A side
    that is no multiple of the patch is filled with zeros at its end.

    Args:
        patch: The side of a patch.
        **kwargs: What `keras.layers.Layer` takes.

    Call arguments:
        inputs: A tensor `(batch, time, ..., channels)` with one, two or three sides of known size.

    Example:
        >>> tuple(SpaceToDepth(4)(keras.ops.ones((2, 5, 8, 10, 1))).shape)
        (2, 5, 2, 3, 16)
    """

    def __init__(self, patch: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patch = patch

    def call(self, inputs: Any) -> Any:
        batch, time, *sides, channels = ops.shape(inputs)
        counts = [math.ceil(side / self.patch) for side in sides]
        missing = [n * self.patch - side for n, side in zip(counts, sides, strict=True)]
        if any(missing):
            inputs = ops.pad(inputs, [(0, 0), (0, 0), *((0, m) for m in missing), (0, 0)])
        rank = len(sides)
        # shape: (batch * time, rows, patch, columns, patch, ..., channels)
        split = [size for n in counts for size in (n, self.patch)]
        x = ops.reshape(inputs, (-1, *split, channels))
        places, inner = range(1, 2 * rank, 2), range(2, 2 * rank + 1, 2)
        x = ops.transpose(x, (0, *places, *inner, 2 * rank + 1))
        return ops.reshape(x, (batch, time, *counts, self.patch**rank * channels))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        batch, time, *sides, channels = input_shape
        counts = [math.ceil(side / self.patch) for side in sides]
        return (batch, time, *counts, self.patch ** len(sides) * channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "patch": self.patch}


@keras.saving.register_keras_serializable(package="kseq")
class DepthToSpace(keras.layers.Layer):
    """Unfolds channels into patches: the inverse of `SpaceToDepth`.

    Args:
        patch: The side of a patch.
        size: The sides of the maps that come out; what stands beyond them is cut off.
        **kwargs: What `keras.layers.Layer` takes.

    Call arguments:
        inputs: A tensor `(batch, time, ..., channels)` with as many sides as `size` has.

    Example:
        >>> maps = keras.random.normal((2, 5, 8, 10, 1))
        >>> again = DepthToSpace(4, size=(8, 10))(SpaceToDepth(4)(maps))
        >>> bool(keras.ops.all(again == maps))
        True
    """

    def __init__(self, patch: int, size: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patch = patch
        self.size = tuple(size)

    def call(self, inputs: Any) -> Any:
        batch, time, *counts, depth = ops.shape(inputs)
        rank = len(counts)
        channels = depth // self.patch**rank
        x = ops.reshape(inputs, (-1, *counts, *[self.patch] * rank, channels))
        turns = [axis for side in range(rank) for axis in (1 + side, 1 + rank + side)]
        x = ops.transpose(x, (0, *turns, 2 * rank + 1))
        whole = [count * self.patch for count in counts]
        x = ops.reshape(x, (batch, time, *whole, channels))
        return x[(slice(None), slice(None), *(slice(0, side) for side in self.size))]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, time, *_, depth = input_shape
        return (batch, time, *self.size, depth // self.patch ** len(self.size))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "patch": self.patch, "size": self.size}
