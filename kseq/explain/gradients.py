"""Gradients of a trained model with respect to what it is given.

The one place where backends differ, so that this file imports TensorFlow, PyTorch or JAX by name.
No recurrent layer is compiled here: what is compiled for prediction takes no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kseq.layers.compiled import compiled_for

if keras.config.backend() == "tensorflow":
    import tensorflow as tf
elif keras.config.backend() == "torch":
    import torch
elif keras.config.backend() == "jax":
    import jax

_FEW = 200  # steps in all, up to which a model is run operation by operation


class Differentiable:
    """A model of a list of inputs with one output, and its gradient by the first input.

    Args:
        model: The functional model, in inference.

    Example:
        >>> x = keras.Input((2,))
        >>> double = Differentiable(keras.Model([x], 2 * x))
        >>> one = np.ones((1, 2), np.float32)
        >>> double.gradient([one], one).tolist()
        [[2.0, 2.0]]
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._forward: Callable[..., Any] | None = None
        self._backward: Callable[..., Any] | None = None
        self._steps = 0

    def __call__(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The output, batch first."""
        if self._pays(inputs) and self._forward is None:
            self._forward = self._traced(self._run)
        return _array((self._forward or self._run)(*self._tensors(inputs)))

    def gradient(self, inputs: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        """The gradient of the weighted sum of all outputs by the first input.

        Args:
            inputs: The inputs, batch first.
            weights: What each output counts, of the output's shape.

        Returns:
            An array of the first input's shape. Rows do not see each other in inference, so each
            row's gradient is that of its own outputs.
        """
        if self._pays(inputs) and self._backward is None:
            self._backward = self._traced(self._pull_back, self.model.outputs[0])
        given = self._tensors(inputs)
        weights = ops.convert_to_tensor(weights, self.model.outputs[0].dtype)
        return _array((self._backward or self._pull_back)(*given, weights))

    def _pays(self, inputs: Sequence[np.ndarray]) -> bool:
        """Whether a graph, which takes a second or so to trace, is worth it by now."""
        self._steps += inputs[0].shape[1]
        return self._steps > _FEW

    def _tensors(self, inputs: Sequence[np.ndarray]) -> list[Any]:
        return [
            ops.convert_to_tensor(array, tensor.dtype)
            for array, tensor in zip(inputs, self.model.inputs, strict=True)
        ]

    def _run(self, *inputs: Any) -> Any:
        with compiled_for(None):
            return self.model(list(inputs), training=False)

    def _pull_back(self, *given: Any) -> Any:
        x, *others, weights = given
        if keras.config.backend() == "tensorflow":
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = self._run(x, *others)
            zero = tf.UnconnectedGradients.ZERO
            return tape.gradient(outputs, x, output_gradients=weights, unconnected_gradients=zero)
        if keras.config.backend() == "torch":
            x = x.detach().requires_grad_(True)
            # cuDNN goes back through a recurrence in training alone.
            with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
                outputs = self._run(x, *others)
                if not outputs.requires_grad:  # nothing leads there from x, nor from a weight
                    return torch.zeros_like(x)
                (found,) = torch.autograd.grad(outputs, x, weights, allow_unused=True)
            return torch.zeros_like(x) if found is None else found
        _, back = jax.vjp(lambda x: self._run(x, *others), x)
        return back(weights)[0]

    def _traced(self, function: Callable[..., Any], *more: Any) -> Callable[..., Any]:
        """The function as one graph for all sizes, where the backend has graphs."""
        if keras.config.backend() != "tensorflow":
            return function
        signature = [tf.TensorSpec(each.shape, each.dtype) for each in (*self.model.inputs, *more)]
        return tf.function(function, autograph=False).get_concrete_function(*signature)


def _array(value: Any) -> np.ndarray:
    found: np.ndarray = ops.convert_to_numpy(value)
    return found
