"""The sides of `engine.py` for two convolutional LSTMs of 32 maps over clips.

kseq has none of its own: its side is Keras's layer with kseq's optimizer.

Clips are eight of 10 frames of 32 x 32; all sides predict a frame for each, with the squared error
as their loss, and clips a second of training are counted. PyTorch has no such layer: its side is
the common one, a convolution of input and state side by side, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CLIPS, TIME, SIZE, MAPS = 8, 10, 32, 32
STEPS = 3  # of training in a turn


def weights() -> list[np.ndarray]:
    """Kernel, recurrent kernel and bias of both layers, and those of the frame."""
    rng = np.random.default_rng(1)
    shapes = []
    for channels in (1, MAPS):
        shapes += [(3, 3, channels, 4 * MAPS), (3, 3, MAPS, 4 * MAPS), (4 * MAPS,)]
    shapes += [(MAPS, 1), (1,)]
    return [rng.normal(scale=0.05, size=shape).astype(np.float32) for shape in shapes]


def clips() -> tuple[np.ndarray, np.ndarray]:
    """Frames, channels last, and targets of the same shape."""
    rng = np.random.default_rng(0)
    shape = (CLIPS, TIME, SIZE, SIZE, 1)
    return rng.random(shape, np.float32), rng.random(shape, np.float32)


def torch_side(timed: Any) -> tuple[Any, Callable[[], float]]:
    """PyTorch."""
    import torch

    torch.set_flush_denormal(True)
    given = [torch.from_numpy(each) for each in weights()]
    layers = []
    for place in (0, 3):
        kernel = torch.cat([given[place], given[place + 1]], dim=2).permute(3, 2, 0, 1)
        convolve = torch.nn.Conv2d(kernel.shape[1], 4 * MAPS, 3, padding="same")
        with torch.no_grad():
            convolve.weight.copy_(kernel)
            convolve.bias.copy_(given[place + 2])
        layers.append(convolve)
    dense = torch.nn.Linear(MAPS, 1)
    with torch.no_grad():
        dense.weight.copy_(given[6].T)
        dense.bias.copy_(given[7])
    modules = torch.nn.ModuleList([*layers, dense]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(modules.parameters(), fused=True)
    x, y = (torch.from_numpy(each) for each in clips())

    def forward() -> Any:
        steps = list(x.permute(1, 0, 4, 2, 3))
        for convolve in layers:
            h = c = torch.zeros(CLIPS, MAPS, SIZE, SIZE)
            outputs = []
            for frame in steps:
                i, f, g, o = convolve(torch.cat([frame, h], dim=1)).chunk(4, dim=1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                outputs.append(h)
            steps = outputs
        return dense(torch.stack(steps, dim=1).permute(0, 1, 3, 4, 2))

    with torch.no_grad():
        sample = forward()[:, :, ::8, ::8].numpy()

    def train() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            (forward() - y).square().mean().backward()
            optimizer.step()

    return sample, lambda: timed(train, CLIPS * STEPS, repeats=1)


def keras_side(side: str, timed: Any) -> tuple[Any, Callable[[], float]]:
    """Keras, with its own optimizer or with that of kseq."""
    import keras

    from kseq.training.adam import FusedAdam

    ours = side == "kseq"
    layer = keras.layers.ConvLSTM2D
    inputs = keras.Input((TIME, SIZE, SIZE, 1))
    h = layer(MAPS, 3, padding="same", return_sequences=True)(inputs)
    h = layer(MAPS, 3, padding="same", return_sequences=True)(h)
    model = keras.Model(inputs, keras.layers.Dense(1)(h))
    model.set_weights(weights())
    adam = FusedAdam() if ours else keras.optimizers.Adam()
    model.compile(adam, "mse", jit_compile=False)
    x, y = clips()
    sample = model(x).numpy()[:, :, ::8, ::8]

    def train() -> None:
        for _ in range(STEPS):
            model.train_on_batch(x, y)

    return sample, lambda: timed(train, CLIPS * STEPS, repeats=1)
