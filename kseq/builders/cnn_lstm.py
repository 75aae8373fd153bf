"""Convolutions that find short patterns, then recurrent layers that follow them."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

from kseq.builders.convolution import conv_block
from kseq.builders.embedding import Embedding
from kseq.builders.heads import Readout, choose_readout, head, read_out
from kseq.builders.inputs import Noise, sequence_inputs
from kseq.builders.recurrence import Cell, Peephole, Widths, recurrent_stack
from kseq.layers.max_pooling import MaskedMaxPooling1D
from kseq.registry import builders
from kseq.schema import Count, Fraction
from kseq.spec import Spec


@builders.register("cnn_lstm")
def cnn_lstm(
    spec: Spec,
    *,
    filters: Widths = [64, 64],  # noqa: B006 - never changed; the schema reads it
    kernel_size: Count = 3,
    pool: Count | Literal["auto"] = "auto",
    cell: Cell = "lstm",
    units: Count | Widths = 64,
    bidirectional: bool = False,
    dropout: Fraction = 0.0,
    recurrent_dropout: Fraction = 0.0,
    layer_norm: bool = False,
    residual: bool = False,
    readout: Readout = "auto",
    noise: Noise = 0.0,
    peephole: Peephole = "diagonal",
    skip: bool = True,
    embedding: Embedding = None,
) -> keras.Model:
    """Blocks of convolution, batch normalisation, relu and max-pooling, then recurrent layers.

    Args:
        spec: What the data decides.
        filters: The filters of each block.
        kernel_size: The steps that a filter spans.
        pool: The steps that max-pooling makes one, after each block; `auto` is 1 for targets a time
            step, else 2. A block that would be left with a single step does not pool.
        cell: The kind of recurrent unit.
        units: The size of the recurrent layer, or of each one.
        bidirectional: Whether each recurrent layer reads both ways.
        dropout: The share of each block's and layer's outputs that is dropped in training.
        recurrent_dropout: The share of the recurrent state that is dropped in training.
        layer_norm: Whether each recurrent layer's outputs are normalised over the features.
        residual: Whether each recurrent layer's input is added to its output.
        readout: What the head sees of the sequence, as in `stacked_rnn`.
        noise: The standard deviation, up to 1, of the Gaussian noise added to `x` in training.
        peephole: What the gates of `slstm` see of the cell state.
        skip: Whether `slstm` adds its input to its output.
        embedding: For text, how its tokens are embedded: the parameters of `text_embedding`.

    Raises:
        ValueError: If the readout does not fit the targets, or steps with targets of their own were
            to be pooled.

    Example:
        >>> from kseq.spec import Spec
        >>> cnn_lstm(Spec(features=3, outputs=2), filters=[8], units=8).output_shape
        (None, 2)

    Reference:
        Sainath et al. (2015), Convolutional, long short-term memory, fully connected deep neural
        networks.
    """
    readout = choose_readout(readout, spec)
    if pool == "auto":
        pool = 1 if spec.per_step else 2
    if pool > 1 and spec.per_step:
        raise ValueError(
            f"pool {pool} makes fewer time steps, but every step has a target of its own; "
            "expected pool 1 or 'auto'"
        )
    inputs = sequence_inputs(spec, embedding)
    x, mask, time, stride = inputs.noisy(noise), inputs.mask, spec.time, 1
    for number, width in enumerate(filters, start=1):
        name = f"conv_{number}"
        x = conv_block(x, mask, width, kernel_size, name=name)
        if pool > 1 and (time is None or time > pool):
            x = MaskedMaxPooling1D(pool, name=f"{name}_pool")(x, mask=mask)
            time = None if time is None else -(-time // pool)
            stride *= pool
            mask = inputs.mask_of(x, stride, name=f"{name}_mask")
        if dropout:
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = recurrent_stack(
        x,
        mask,
        cell=cell,
        units=units,
        bidirectional=bidirectional,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        layer_norm=layer_norm,
        residual=residual,
        peephole=peephole,
        skip=skip,
        last=readout == "last",
    )
    context = read_out(x, mask, readout)
    return inputs.model(head(context, inputs.future, spec, mask), name="cnn_lstm")
