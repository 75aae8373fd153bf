"""Recurrences in PyTorch's fused kernels, which this file imports by name.

Keras calls them on CUDA alone, and runs a loop in Python on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

if keras.config.backend() == "torch":
    import torch


def recurrence(
    unit: str, x: Any, weights: Any, initial: Sequence[Any], *, all_states: bool
) -> list[Any]:
    """The outputs of a recurrent layer after every step; see `kseq.layers.compiled.recurrence`.

    Raises:
        ValueError: If the cell states of an LSTM are asked for, which the kernel does not tell.
    """
    if unit == "lstm" and all_states:
        raise ValueError("all_states: PyTorch does not tell the cell states of an LSTM")
    bias = weights.extra if unit == "gru" else torch.zeros_like(weights.bias)
    parameters = [weights.kernel.T, weights.recurrent.T, weights.bias, bias]
    if unit == "gru":
        # PyTorch has the reset gate before the update gate.
        parameters = [_swapped(each) for each in parameters]
    first = [state[None].contiguous() for state in initial]
    kernel = {"rnn": torch.rnn_tanh, "gru": torch.gru, "lstm": torch.lstm}[unit]
    state = first if unit == "lstm" else first[0]
    # Of biases, layers, dropout, training, both directions, and the batch as the first axis.
    options = (True, 1, 0.0, torch.is_grad_enabled(), False, True)
    return [kernel(x, state, [each.contiguous() for each in parameters], *options)[0]]


def has_gpu() -> bool:
    """Whether Keras calls cuDNN."""
    return bool(torch.cuda.is_available())


def _swapped(gates: Any) -> Any:
    update, reset, candidate = torch.chunk(gates, 3)
    return torch.cat([reset, update, candidate])
