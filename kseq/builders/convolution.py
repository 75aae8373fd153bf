"""The convolution block that several builders share."""

from __future__ import annotations

from typing import Any

from keras import layers

from kseq.layers.convolution import MaskedConv1D


def conv_block(x: Any, mask: Any, filters: int, kernel_size: int, *, name: str) -> Any:
    """Convolution over time, batch normalisation of the valid steps, relu.

    Args:
        x: The sequences, `(batch, time, features)`.
        mask: Their mask, `(batch, time)`, or None.
        filters: The number of filters.
        kernel_size: The steps that a filter spans.
        name: The name that the layers begin with.

    Returns:
        A tensor `(batch, time, filters)`.
    """
    # The normalisation brings its own offset, so a bias would do nothing. Its momentum lets the
    # statistics settle within the few updates that a small data set has.
    convolve = MaskedConv1D(
        filters, kernel_size, use_bias=False, kernel_initializer="he_uniform", name=name
    )
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(
        convolve(x, mask=mask), mask=mask
    )
    return layers.ReLU(name=f"{name}_relu")(x)
