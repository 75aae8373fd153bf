"""Runs a model on arrays, without the cost of `Model.predict`.

On TensorFlow the forward pass is traced once, for any batch size and number of steps; this file
imports it by name for that. On other backends the model is called as it is.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from kseq.layers.compiled import compiled_for

if keras.config.backend() == "tensorflow":
    import tensorflow as tf
elif keras.config.backend() == "torch":
    import torch

_TOGETHER = min(4, os.cpu_count() or 1)
# Products of matrices round the rows that are left over after the last full block in another way.
_ROWS = 4


class Forward:
    """The forward pass of a model with named inputs and outputs.

    Args:
        model: A functional model that takes and returns dicts.
        then: What is done with inputs and outputs in the same graph; gives the outputs.
    """

    def __init__(self, model: keras.Model, then: Callable[..., Any] | None = None) -> None:
        self.model = model
        self.then = then
        self._traced: Any = None

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs as arrays, batch first; of a row the same with any others of its length."""
        if self._traced is None:
            self._traced = self._trace()
        names = [tensor.name for tensor in self.model.inputs]
        count = len(inputs[names[0]])
        filling = -count % _ROWS
        full = {name: _filled(inputs[name], filling) for name in names}
        outputs = self._traced(
            {
                tensor.name: keras.ops.convert_to_tensor(full[tensor.name], tensor.dtype)
                for tensor in self.model.inputs
            }
        )
        return {name: keras.ops.convert_to_numpy(value)[:count] for name, value in outputs.items()}

    def over(self, batches: Iterable[Mapping[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
        """The outputs of batch after batch; on TensorFlow some are worked on at the same time.

        The steps of a recurrence follow each other, so that one batch keeps one core busy.
        """
        waiting = iter(batches)
        for first in waiting:  # traces, and a single batch needs no threads
            yield self(first)
            break
        if keras.config.backend() != "tensorflow":
            yield from map(self, waiting)
            return
        running: deque[Future[dict[str, np.ndarray]]] = deque()
        with ThreadPoolExecutor(_TOGETHER) as pool:
            for batch in waiting:
                running.append(pool.submit(self, batch))
                if len(running) > _TOGETHER:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()

    def _trace(self) -> Any:
        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            with compiled_for("prediction"):
                outputs: dict[str, Any] = self.model(inputs, training=False)
                return outputs if self.then is None else self.then(inputs, outputs)

        if keras.config.backend() == "torch":
            return torch.no_grad()(run)
        if keras.config.backend() != "tensorflow":
            return run
        signature = {
            tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name)
            for tensor in self.model.inputs
        }
        # One concrete function for all shapes: nothing is ever traced a second time.
        return tf.function(run, autograph=False).get_concrete_function(signature)


def _filled(rows: np.ndarray, count: int) -> np.ndarray:
    """`rows` with the last one `count` times more."""
    return np.concatenate([rows, np.repeat(rows[-1:], count, axis=0)]) if count else rows


def traced(
    function: Callable[..., Any], shapes: Sequence[tuple[int | None, ...]], types: Sequence[str]
) -> Callable[..., Any]:
    """A function of arrays as one graph for all sizes, where the backend has graphs.

    Args:
        function: What to run.
        shapes: Of its arguments; None for sizes that differ.
        types: Of its arguments.
    """
    if keras.config.backend() != "tensorflow":
        return function
    signature = [tf.TensorSpec(*each) for each in zip(shapes, types, strict=True)]
    return tf.function(function, input_signature=signature, autograph=False)
