"""A recurrent and a convolutional view of the sequence, side by side."""

from __future__ import annotations

import keras
from keras import layers

from kseq.builders.convolution import conv_block
from kseq.builders.embedding import Embedding
from kseq.builders.heads import head
from kseq.builders.inputs import Noise, sequence_inputs
from kseq.builders.recurrence import Cell, Peephole, Widths, recurrent_layer
from kseq.layers.pooling import SequencePooling
from kseq.layers.shuffle import DimensionShuffle
from kseq.registry import builders
from kseq.schema import Count, Fraction
from kseq.spec import Spec


@builders.register("lstm_fcn")
def lstm_fcn(
    spec: Spec,
    *,
    cell: Cell = "lstm",
    units: Count = 8,
    dropout: Fraction = 0.8,
    filters: Widths = [128, 256, 128],  # noqa: B006 - never changed; the schema reads it
    kernel_sizes: Widths = [8, 5, 3],  # noqa: B006 - as above
    dimension_shuffle: bool | None = None,
    noise: Noise = 0.0,
    peephole: Peephole = "diagonal",
    skip: bool = True,
    embedding: Embedding = None,
) -> keras.Model:
    """LSTM-FCN: a recurrent layer beside a fully convolutional network, then one dense layer.

    With the dimension shuffle the recurrent layer sees each feature's whole course as one step, as
    in the paper. For targets a time step, neither branch is pooled over time.

    Args:
        spec: What the data decides.
        cell: The kind of recurrent unit.
        units: The size of the recurrent layer.
        dropout: The share of the recurrent layer's outputs that is dropped in training.
        filters: The filters of each convolution.
        kernel_sizes: The steps that the filters of each convolution span.
        dimension_shuffle: Whether time and features change places before the recurrent layer; null
            for yes where all sequences have the same length and one target each.
        noise: The standard deviation, up to 1, of the Gaussian noise added to `x` in training.
        peephole: What the gates of `slstm` see of the cell state.
        skip: Whether `slstm` adds its input to its output.
        embedding: For text, how its tokens are embedded: the parameters of `text_embedding`.

    Raises:
        ValueError: If filters and kernel sizes are not equal in number, or sequences that differ in
            length, or have targets a time step, were to be shuffled.

    Example:
        >>> from kseq.spec import Spec
        >>> lstm_fcn(Spec(features=3, outputs=2, time=20), filters=[8, 8, 8]).output_shape
        (None, 2)

    Reference:
        Karim et al. (2018), LSTM fully convolutional networks for time series classification.
    """
    if len(filters) != len(kernel_sizes):
        raise ValueError(
            f"kernel_sizes: expected {len(filters)} numbers, one for each of filters {filters}, "
            f"got {kernel_sizes}"
        )
    if dimension_shuffle is None:
        dimension_shuffle = not (spec.ragged or spec.per_step)
    if dimension_shuffle and (spec.ragged or spec.per_step):
        why = "a target a time step" if spec.per_step else "different lengths"
        raise ValueError(
            f"dimension_shuffle turns the time axis into features, but the sequences have {why}; "
            "expected false or null"
        )
    inputs = sequence_inputs(spec, embedding)
    mask = inputs.mask
    noisy = inputs.noisy(noise)

    x = noisy
    if dimension_shuffle and spec.time is not None:
        x = DimensionShuffle(spec.time, name="shuffle")(x)
    remember = recurrent_layer(
        cell, units, name=cell, peephole=peephole, skip=skip, return_sequences=spec.per_step
    )
    memory = remember(x, mask=mask)
    if dropout:
        memory = layers.Dropout(dropout, name=f"{cell}_dropout")(memory)

    patterns = noisy
    for number, (width, kernel_size) in enumerate(zip(filters, kernel_sizes, strict=True), start=1):
        patterns = conv_block(patterns, mask, width, kernel_size, name=f"conv_{number}")
    if not spec.per_step:
        patterns = SequencePooling("mean", name="average")(patterns, mask=mask)

    context = layers.Concatenate(name="both_views")([memory, patterns])
    return inputs.model(head(context, inputs.future, spec, inputs.mask), name="lstm_fcn")
