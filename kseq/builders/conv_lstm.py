"""Frames ahead from the frames before them, by convolutional LSTMs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import keras
from keras import layers, ops
from pydantic import Field

from kseq.builders.clips import Patch, check_clips, choose_patch, folded
from kseq.builders.recurrence import Widths
from kseq.layers.conv_lstm import ConvPeephole
from kseq.layers.frames import FrameRNN, NextFrameCell, Output, StackedConvLSTMCell
from kseq.layers.frames_ahead import LastSteps
from kseq.layers.patches import DepthToSpace
from kseq.layers.sampling import ReadingLoss, ScheduledSampling
from kseq.registry import builders
from kseq.schema import Count, NonNegative
from kseq.spec import Spec


@builders.register("conv_lstm")
def conv_lstm(
    spec: Spec,
    *,
    form: Literal["encoder_forecaster", "next_frame"] = "encoder_forecaster",
    filters: Count | Widths = 64,
    kernel_size: Count = 3,
    peephole: ConvPeephole | None = None,
    layer_norm: bool = False,
    patch: Patch = "auto",
    output: Output = "change",
    teacher_forcing: Annotated[float, Field(ge=0, le=1)] = 0.0,
    teacher_forcing_steps: Annotated[int, Field(gt=0)] = 1000,
    reading_loss: NonNegative = 0.0,
) -> keras.Model:
    """Convolutional LSTMs above each other, which read frames and foretell those ahead.

    Each frame ahead is made from the one before it, which the model has made itself, so that there
    may be any number of them.

    Args:
        spec: What the data decides.
        form: `encoder_forecaster`, a stack that reads and one that goes on from its states; or
            `next_frame`, one stack for both, with half the weights.
        filters: The channels of the layer of a stack, or of each one.
        kernel_size: The places that a filter spans, along each side.
        peephole: What the gates see of the cell state: `diagonal`, each place its own weights, as
            in the paper; `channel`, all places of a channel the same; or nothing.
        layer_norm: Whether each layer's outputs are normalised over their channels.
        patch: The side of the patches that are folded into channels, so that maps are smaller;
            `auto` is 4, or 2 or 1 where maps would have fewer than 16 places along a side.
        output: How a frame is made: as a `change` of the one before it, which starts at zero;
            `linear`; or by a `sigmoid`, for values from 0 to 1.
        teacher_forcing: The probability that training shows the true frame before each frame
            ahead, at first; it falls to zero in a straight line (scheduled sampling).
        teacher_forcing_steps: The training steps until it is zero.
        reading_loss: What the squared error of the frames that are read, each foretold from those
            before it, is multiplied by before it is added to the loss of a training; 0 leaves it.

    Raises:
        ValueError: If the sequences are not clips, or there is nothing to foretell.

    Example:
        >>> spec = Spec(features=1, outputs=1, frame=[32, 32], horizon=10)
        >>> conv_lstm(spec, filters=[8]).output_shape  # (batch, horizon, height, width, channels)
        (None, None, 32, 32, 1)

    Reference:
        Shi et al. (2015), Convolutional LSTM network: a machine learning approach for precipitation
        nowcasting.
    """
    check_clips(spec)
    if spec.horizon is None:
        raise ValueError(
            "foretells frames, but the targets are one a clip; choose conv_lstm_classifier"
        )
    patch = choose_patch(patch, spec)
    filters = [filters] if isinstance(filters, int) else filters
    shape = (None, *spec.frame, spec.features)
    x, future = keras.Input(shape, name="x"), keras.Input(shape, name="future")
    past, ahead = folded(x, patch, "patches"), folded(future, patch, "patches_ahead")
    stack: dict[str, Any] = {"peephole": peephole, "layer_norm": layer_norm}
    sampling = ScheduledSampling(teacher_forcing, teacher_forcing_steps, name="shown")
    cell = NextFrameCell(filters, kernel_size, output=output, name="cell", **stack)
    forecaster = FrameRNN(cell, return_sequences=True, name="forecaster")
    if form == "encoder_forecaster" and reading_loss:
        reader = NextFrameCell(filters, kernel_size, output=output, name="cell", **stack)
        encoder = FrameRNN(reader, return_sequences=True, return_state=True, name="encoder")
        shown = ops.concatenate([past, ops.ones_like(past[..., :1])], axis=-1)
        told, *states, _ = encoder(shown)
        past = ReadingLoss(reading_loss, name="reading")(past, told, past)
        frames = forecaster(sampling(past[:, -1:], ahead), initial_state=states)
    elif form == "encoder_forecaster":
        reader = StackedConvLSTMCell(filters, kernel_size, name="cell", **stack)
        _, *states = FrameRNN(reader, return_state=True, name="encoder")(past)
        frames = forecaster(sampling(past[:, -1:], ahead), initial_state=states)
    else:
        frames = forecaster(sampling(past, ahead))
        if reading_loss:
            frames = ReadingLoss(reading_loss, name="reading")(frames, frames, past)
        frames = LastSteps(name="frames_ahead")(frames, ahead)
    if patch > 1:
        frames = DepthToSpace(patch, spec.frame, name="frames")(frames)
    frames = layers.Activation("linear", dtype="float32", name="scores")(frames)
    return keras.Model({"x": x, "future": future}, frames, name="conv_lstm")
