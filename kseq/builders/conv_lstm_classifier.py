"""Clips to classes, by convolutional LSTMs."""

from __future__ import annotations

import keras
from keras import layers

from kseq.builders.clips import Patch, check_clips, choose_patch, folded
from kseq.builders.heads import head
from kseq.builders.inputs import clip_inputs
from kseq.builders.recurrence import Widths
from kseq.layers.conv_lstm import ConvLSTM, ConvPeephole
from kseq.registry import builders
from kseq.schema import Count, Fraction
from kseq.spec import Spec


@builders.register("conv_lstm_classifier")
def conv_lstm_classifier(
    spec: Spec,
    *,
    filters: Count | Widths = 32,
    kernel_size: Count = 3,
    peephole: ConvPeephole | None = None,
    layer_norm: bool = False,
    patch: Patch = "auto",
    dropout: Fraction = 0.0,
) -> keras.Model:
    """Convolutional LSTMs above each other that read a clip, and a layer that judges its end.

    What the last layer has at the end of a clip is averaged over the places of the map, beside the
    largest value of each channel.

    Args:
        spec: What the data decides.
        filters: The channels of the layer, or of each one.
        kernel_size: The places that a filter spans, along each side.
        peephole: What the gates see of the cell state: `diagonal`, each place its own weights;
            `channel`, all places of a channel the same; or nothing.
        layer_norm: Whether each layer's outputs are normalised over their channels.
        patch: The side of the patches that are folded into channels, so that maps are smaller;
            `auto` is 4, or 2 or 1 where maps would have fewer than 16 places along a side.
        dropout: The share of each layer's outputs, and of what is judged, that is dropped in
            training.

    Raises:
        ValueError: If the sequences are not clips, or the targets are not one a clip.

    Example:
        >>> spec = Spec(features=1, outputs=3, frame=[32, 32], time=10)
        >>> conv_lstm_classifier(spec, filters=[8]).output_shape
        (None, 3)
    """
    check_clips(spec)
    if spec.horizon is not None:
        raise ValueError("gives one answer a clip, but frames are asked for; choose conv_lstm")
    if spec.per_step:
        raise ValueError("gives one answer a clip, but the targets are one a frame")
    inputs = clip_inputs(spec)
    filters = [filters] if isinstance(filters, int) else filters
    x = folded(inputs.x, choose_patch(patch, spec), "patches")
    for number, width in enumerate(filters, start=1):
        name = f"conv_lstm_{number}"
        x = ConvLSTM(
            width,
            kernel_size,
            padding="same",
            peephole=peephole,
            return_sequences=number < len(filters),
            name=name,
        )(x, mask=inputs.mask)
        if layer_norm:
            x = layers.LayerNormalization(name=f"{name}_norm")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    x = layers.Reshape((-1, x.shape[-1]), name="places")(x)
    pooled = [layers.GlobalAveragePooling1D(name="mean"), layers.GlobalMaxPooling1D(name="max")]
    context = layers.Concatenate(name="readout")([pool(x) for pool in pooled])
    return inputs.model(head(context, None, spec), name="conv_lstm_classifier")
