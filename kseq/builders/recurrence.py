"""The stack of recurrent layers that several builders share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import keras
from keras import layers
from pydantic import Field

from kseq.layers.pooling import Pooling, SequencePooling
from kseq.layers.recurrent import GRU, LSTM, SimpleRNN
from kseq.layers.slstm import SLSTM
from kseq.schema import Count

Cell = Literal["rnn", "gru", "lstm", "slstm"]
Peephole = Literal["diagonal", "full"]
Widths = Annotated[list[Count], Field(min_length=1, max_length=64)]

CELLS: dict[str, Any] = {
    "rnn": SimpleRNN,
    "gru": GRU,
    "lstm": LSTM,
    "slstm": SLSTM,
}


def recurrent_layer(
    cell: Cell,
    units: int,
    *,
    name: str,
    bidirectional: bool = False,
    peephole: Peephole = "diagonal",
    skip: bool = True,
    **options: Any,
) -> keras.layers.Layer:
    """One recurrent layer; `peephole` and `skip` are for `slstm` alone.

    Example:
        >>> recurrent_layer("gru", 8, name="memory", return_sequences=True).name
        'memory'
    """
    if cell == "slstm":
        options = {**options, "peephole": peephole, "skip": skip}
    if cell == "lstm" and bidirectional:
        options["block"] = None  # the two directions already run at the same time
    layer = CELLS[cell](units, name=name, **options)
    return layers.Bidirectional(layer, name=f"{name}_both_ways") if bidirectional else layer


def recurrent_stack(
    x: Any,
    mask: Any,
    *,
    cell: Cell,
    units: int | list[int],
    bidirectional: bool,
    dropout: float,
    recurrent_dropout: float,
    layer_norm: bool,
    residual: bool,
    peephole: Peephole,
    skip: bool,
    last: bool,
) -> Any:
    """Recurrent layers above each other.

    Args:
        x: The sequences, `(batch, time, features)`.
        mask: Their mask, `(batch, time)`, or None.
        cell: The kind of recurrent unit.
        units: The size of each layer.
        bidirectional: Whether each layer reads both ways, side by side.
        dropout: The share of each layer's outputs that is dropped in training.
        recurrent_dropout: The share of the recurrent state that is dropped in training.
        layer_norm: Whether each layer's outputs are normalised over the features.
        residual: Whether each layer's input is added to its output, projected if widths differ.
        peephole: What the gates of `slstm` see of the cell state.
        skip: Whether `slstm` adds its input to its output.
        last: Whether to return, of the last layer, where each direction ends, `(batch, features)`,
            in place of `(batch, time, features)`.
    """
    sizes = [units] if isinstance(units, int) else units
    for number, size in enumerate(sizes, start=1):
        ends = last and number == len(sizes)
        name = f"{cell}_{number}"
        shortcut = x
        x = recurrent_layer(
            cell,
            size,
            name=name,
            bidirectional=bidirectional,
            peephole=peephole,
            skip=skip,
            recurrent_dropout=recurrent_dropout,
            return_sequences=not ends,
        )(x, mask=mask)
        if residual:
            if shortcut.shape[-1] != x.shape[-1]:
                project = layers.Dense(x.shape[-1], use_bias=False, name=f"{name}_shortcut")
                shortcut = project(shortcut)
            if ends:
                mode: Pooling = "ends" if bidirectional else "last"
                shortcut = SequencePooling(mode, name=f"{name}_shortcut_end")(shortcut, mask=mask)
            x = layers.Add(name=f"{name}_residual")([shortcut, x])
        if layer_norm:
            x = layers.LayerNormalization(name=f"{name}_norm")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return x
