"""One seed for everything that Keras draws while a model is built."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Layers and initialisers created inside draw their seeds from `seed`.

    Keras takes the seed of a layer that was given none from Python's generator. That generator is
    put back afterwards, so a fit leaves no trace in the caller's random numbers.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
