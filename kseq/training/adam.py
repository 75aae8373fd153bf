"""Adam in one pass over the weights.

This file imports TensorFlow and PyTorch by name: Keras writes Adam as some fifteen operations a
weight, each of which reads and writes all of it, and a large word embedding is mostly waited for
there. Both have the same update as one operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

if keras.config.backend() == "tensorflow":
    import tensorflow as tf
elif keras.config.backend() == "torch":
    import torch
    from torch.optim.adam import adam


@keras.saving.register_keras_serializable("kseq")
class FusedAdam(keras.optimizers.Optimizer):
    """Adam, or AdamW with a weight decay; on TensorFlow and PyTorch one operation a weight.

    Updates are those of `keras.optimizers.Adam` with its default betas and epsilon, to the rounding
    of single operations. On other backends they are written in `keras.ops`.

    Args:
        learning_rate: The step size, or a schedule of it.
        **options: The arguments of `keras.optimizers.Optimizer`.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile(FusedAdam(0.01), "mse")
        >>> _ = model.fit(keras.ops.ones((4, 2)), keras.ops.ones((4, 1)), verbose=0)

    Reference:
        Kingma and Ba (2015), Adam: a method for stochastic optimization.
    """

    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-7

    def __init__(self, learning_rate: Any = 1e-3, *, name: str = "adam", **options: Any) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **options)

    def build(self, variables: Sequence[Any]) -> None:
        """Makes the two moments of every weight."""
        if self.built:
            return
        super().build(variables)
        self.momentums, self.velocities = self.add_optimizer_variables(
            variables, ["momentum", "velocity"]
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one weight and its moments."""
        place = self._get_variable_index(variable)
        m, v = self.momentums[place], self.velocities[place]
        if keras.config.backend() == "torch":
            number = int(self.iterations) + 1
            adam(
                [variable.value],
                [gradient.to(variable.value.dtype)],
                [m.value],
                [v.value],
                [],
                [torch.tensor(float(number))],
                fused=variable.value.device.type == "cpu",
                foreach=False,
                amsgrad=False,
                beta1=self.beta_1,
                beta2=self.beta_2,
                lr=float(learning_rate),
                weight_decay=0.0,
                # PyTorch adds it to the root after the root's bias has been taken away.
                eps=self.epsilon / (1 - self.beta_2**number) ** 0.5,
                maximize=False,
            )
            return
        kind = variable.dtype
        rate = keras.ops.cast(learning_rate, kind)
        step = keras.ops.cast(self.iterations + 1, kind)
        power_1 = keras.ops.power(keras.ops.cast(self.beta_1, kind), step)
        power_2 = keras.ops.power(keras.ops.cast(self.beta_2, kind), step)
        if keras.config.backend() == "tensorflow":
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.value.handle,
                v=v.value.handle,
                beta1_power=power_1,
                beta2_power=power_2,
                lr=rate,
                beta1=tf.cast(self.beta_1, kind),
                beta2=tf.cast(self.beta_2, kind),
                epsilon=tf.cast(self.epsilon, kind),
                # That of an embedding has rows alone; the moments of all others decay as well.
                grad=tf.cast(tf.convert_to_tensor(gradient), kind),
            )
            return
        gradient = keras.ops.cast(gradient, kind)
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (keras.ops.square(gradient) - v) * (1 - self.beta_2))
        size = rate * keras.ops.sqrt(1 - power_2) / (1 - power_1)
        self.assign_sub(variable, size * m / (keras.ops.sqrt(v) + self.epsilon))
