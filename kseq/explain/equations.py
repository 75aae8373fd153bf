"""The equations of gated recurrent cells, in NumPy and float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kseq.layers.slstm import SLSTMCell

Step = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[dict[str, np.ndarray], Any, Any]]


def recompute(cell: Any, x: np.ndarray) -> dict[str, np.ndarray]:
    """Gates and states over one sequence, in the order in which it is read.

    Args:
        cell: The cell of a layer: of `GRU`, `LSTM` or `SLSTM`.
        x: What the layer reads, `(time, features)`.

    Returns:
        By name, each `(time, units)`; `hidden` is what the layer gives.
    """
    step = _gru(cell) if isinstance(cell, keras.layers.GRUCell) else _lstm(cell)
    h, c = np.zeros(cell.units), np.zeros(cell.units)
    found: dict[str, list[np.ndarray]] = {}
    for features in x.astype(np.float64):
        values, h, c = step(features, h, c)
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: np.stack(each) for name, each in found.items()}


def _lstm(cell: Any) -> Step:
    kernel, recurrent, bias = _weights(cell)
    gate, squash = _activation(cell.recurrent_activation), _activation(cell.activation)
    peephole = skip = None
    if isinstance(cell, SLSTMCell):
        peephole = _number(cell.peephole_kernel)
        if cell.skip:
            width = kernel.shape[0]
            skip = np.eye(width) if cell.skip_kernel is None else _number(cell.skip_kernel)
    peeps = [None] * 3 if peephole is None else np.split(peephole, 3, axis=-1)

    def seen(c: np.ndarray, weights: Any) -> Any:
        if weights is None:
            return 0.0
        return c * weights if weights.ndim == 1 else c @ weights

    def step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> Any:
        z_i, z_f, z_c, z_o = np.split(x @ kernel + h @ recurrent + bias, 4)
        i, f = gate(z_i + seen(c, peeps[0])), gate(z_f + seen(c, peeps[1]))
        candidate = squash(z_c)
        c = f * c + i * candidate
        o = gate(z_o + seen(c, peeps[2]))
        h = o * squash(c)
        values = {"input": i, "forget": f, "output": o, "candidate": candidate, "cell": c}
        return {**values, "hidden": h if skip is None else h + x @ skip}, h, c

    return step


def _gru(cell: Any) -> Step:
    kernel, recurrent, bias = _weights(cell)
    gate, squash = _activation(cell.recurrent_activation), _activation(cell.activation)
    of_input, of_state = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))

    def step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> Any:
        x_z, x_r, x_h = np.split(x @ kernel + of_input, 3)
        r_z, r_r, r_h = np.split(recurrent, 3, axis=1)
        b_z, b_r, b_h = np.split(of_state, 3)
        z, r = gate(x_z + h @ r_z + b_z), gate(x_r + h @ r_r + b_r)
        inner = r * (h @ r_h + b_h) if cell.reset_after else (r * h) @ r_h
        candidate = squash(x_h + inner)
        h = z * h + (1 - z) * candidate
        return {"update": z, "reset": r, "candidate": candidate, "hidden": h}, h, c

    return step


def _weights(cell: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kernel = _number(cell.kernel)
    bias = np.zeros(kernel.shape[1]) if cell.bias is None else _number(cell.bias)
    return kernel, _number(cell.recurrent_kernel), bias


def _number(weight: Any) -> Any:
    return None if weight is None else ops.convert_to_numpy(weight).astype(np.float64)


def _activation(function: Any) -> Callable[[np.ndarray], np.ndarray]:
    if function == keras.activations.tanh:
        return np.tanh
    if function == keras.activations.sigmoid:
        return lambda z: 0.5 * (1 + np.tanh(0.5 * z))
    return lambda z: ops.convert_to_numpy(function(ops.convert_to_tensor(z, "float32")))
