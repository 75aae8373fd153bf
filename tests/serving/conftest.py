"""Tiny models and the versions made from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

CLASSES = ["sun", "rain", "näve/snow"]


@pytest.fixture(scope="session")
def make_servable() -> Callable[..., object]:
    """Builds a classifier of raw sequences: three features, three classes."""
    import keras

    class Mask(keras.layers.Layer):
        def call(self, x, lengths):
            return keras.ops.arange(keras.ops.shape(x)[1])[None] < lengths[:, None]

        def compute_output_spec(self, x, lengths):
            return keras.KerasTensor(x.shape[:2], "bool")

    def make(ragged: bool = True) -> keras.Model:
        inputs = {"x": keras.Input((None, 3), name="x")}
        mask = None
        if ragged:
            inputs["lengths"] = keras.Input((), dtype="int32", name="lengths")
            mask = Mask(name="mask")(inputs["x"], inputs["lengths"])
        hidden = keras.layers.GRU(4, name="recurrent")(inputs["x"], mask=mask)
        outputs = keras.layers.Dense(3, activation="softmax", name="out")(hidden)
        return keras.Model(inputs, {"probabilities": outputs})

    return make


@pytest.fixture(scope="session")
def servable(make_servable):
    return make_servable()


@pytest.fixture(scope="session")
def exported(servable, tmp_path_factory) -> Path:
    """A SavedModel with string labels, that asks for two steps. Not to be changed by a test."""
    from kseq.serving.export import export

    folder = tmp_path_factory.mktemp("exported") / "1"
    folder.mkdir()
    export(servable, folder, labels=CLASSES, minimum_steps=2)
    return folder


@pytest.fixture
def sequences() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(7, 5, 3)).astype("float32")
