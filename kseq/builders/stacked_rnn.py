"""Recurrent layers above each other."""

from __future__ import annotations

from typing import Annotated

import keras
from keras import layers
from pydantic import Field

from kseq.builders.embedding import Embedding
from kseq.builders.heads import Readout, choose_readout, head, read_out
from kseq.builders.inputs import Noise, sequence_inputs
from kseq.builders.recurrence import Cell, Peephole, Widths, recurrent_stack
from kseq.layers.folding import FoldSteps
from kseq.layers.highway import LinearHighway
from kseq.registry import builders
from kseq.schema import Count, Fraction
from kseq.spec import Spec


@builders.register("stacked_rnn")
def stacked_rnn(
    spec: Spec,
    *,
    cell: Cell = "lstm",
    units: Count | Widths = 64,
    bidirectional: bool = False,
    dropout: Fraction = 0.0,
    recurrent_dropout: Fraction = 0.0,
    layer_norm: bool = False,
    residual: bool = False,
    readout: Readout = "auto",
    noise: Noise = 0.0,
    patch: Count = 1,
    highway: Annotated[int, Field(ge=0, le=8192)] = 0,
    peephole: Peephole = "diagonal",
    skip: bool = True,
    embedding: Embedding = None,
) -> keras.Model:
    """Recurrent layers above each other, plain, gated or with peepholes, one way or both.

    Args:
        spec: What the data decides.
        cell: The kind of recurrent unit.
        units: The size of the layer, or of each layer.
        bidirectional: Whether each layer reads both ways.
        dropout: The share of each layer's outputs that is dropped in training.
        recurrent_dropout: The share of the recurrent state that is dropped in training (slow on a
            GPU: it leaves the fused kernels).
        layer_norm: Whether each layer's outputs are normalised over the features.
        residual: Whether each layer's input is added to its output.
        readout: What the head sees of the sequence: its `last` step, a `mean`, `max` or
            `attention` over time, or all `steps`. `auto` is `steps` for targets a time step, else
            `last`.
        noise: The standard deviation, up to 1, of the Gaussian noise added to `x` in training.
        patch: How many consecutive steps are folded into one before the recurrence.
        highway: For forecasts, how many of a target's last steps are mapped to its forecast by a
            line of their own beside the recurrence (as in LSTNet); 0 for none.
        peephole: What the gates of `slstm` see of the cell state: each unit its own, or all.
        skip: Whether `slstm` adds its input to its output.
        embedding: For text, how its tokens are embedded: the parameters of `text_embedding`.

    Raises:
        ValueError: If the readout does not fit the targets, or steps that differ in number or have
            targets of their own were to be folded, or a highway has no forecast or more steps than
            the window.

    Example:
        >>> from kseq.spec import Spec
        >>> stacked_rnn(Spec(features=3, outputs=2, time=20), cell="gru", units=[8, 8]).output_shape
        (None, 2)
    """
    readout = choose_readout(readout, spec)
    if patch > 1 and (spec.ragged or spec.per_step):
        why = "have targets of their own" if spec.per_step else "differ in number"
        raise ValueError(
            f"patch {patch} folds time steps, but here they {why}; expected patch 1, or sequences "
            "of equal length with one target each"
        )
    if highway and (spec.horizon is None or highway > (spec.time or 0)):
        what = "there is no forecast" if spec.horizon is None else f"the window has {spec.time}"
        raise ValueError(f"highway {highway} maps the last steps to a forecast, but {what}")
    inputs = sequence_inputs(spec, embedding)
    x = inputs.noisy(noise)
    if patch > 1:
        width = units if isinstance(units, int) else units[0]
        x = FoldSteps(patch, name="patches")(x)
        x = layers.Dense(width, activation="relu", name="patch_projection")(x)
    x = recurrent_stack(
        x,
        inputs.mask,
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
    context = read_out(x, inputs.mask, readout)
    scores = head(context, inputs.future, spec, inputs.mask)
    if highway and spec.horizon is not None:
        line = LinearHighway(
            steps=highway,
            horizon=spec.horizon,
            targets=spec.outputs,
            dtype="float32",
            name="highway",
        )
        scores = layers.Add(dtype="float32", name="scores_with_highway")([scores, line(inputs.x)])
    return inputs.model(scores, name="stacked_rnn")
