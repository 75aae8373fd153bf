"""Runs a model on arrays, without the cost of `Model.predict`.

On TensorFlow the forward pass is traced once, for any batch size and number of steps; this file
imports it by name for that. On other backends the model is called as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

if keras.config.backend() == "tensorflow":
    import tensorflow as tf


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
        """The outputs as arrays, batch first."""
        if self._traced is None:
            self._traced = self._trace()
        outputs = self._traced(
            {
                tensor.name: keras.ops.convert_to_tensor(inputs[tensor.name], tensor.dtype)
                for tensor in self.model.inputs
            }
        )
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}

    def _trace(self) -> Any:
        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            outputs: dict[str, Any] = self.model(inputs, training=False)
            return outputs if self.then is None else self.then(inputs, outputs)

        if keras.config.backend() != "tensorflow":
            return run
        signature = {
            tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name)
            for tensor in self.model.inputs
        }
        # One concrete function for all shapes: nothing is ever traced a second time.
        return tf.function(run, autograph=False).get_concrete_function(signature)


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
