"""Patches folded into channels, and back."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq.layers.patches import DepthToSpace, SpaceToDepth


@pytest.mark.parametrize("sides", [(9,), (8, 6), (7, 10), (4, 5, 6)], ids=str)
@pytest.mark.parametrize("patch", [1, 2, 3])
def test_back_again(sides, patch):
    x = np.random.default_rng(0).normal(size=(2, 3, *sides, 2)).astype("float32")
    fold, unfold = SpaceToDepth(patch), DepthToSpace(patch, sides)
    folded = fold(x)
    counts = tuple(-(-side // patch) for side in sides)
    assert folded.shape == (2, 3, *counts, 2 * patch ** len(sides))
    assert fold.compute_output_shape(x.shape) == folded.shape
    np.testing.assert_array_equal(unfold(folded), x)
    assert unfold.compute_output_shape(folded.shape) == x.shape


def test_channels_lie_as_in_tensorflow():
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 6, 2)).astype("float32")
    flat = tf.nn.space_to_depth(x.reshape(6, 8, 6, 2), 2).numpy()
    np.testing.assert_array_equal(SpaceToDepth(2)(x), flat.reshape(2, 3, 4, 3, 8))


def test_what_is_filled_up_is_zero():
    folded = SpaceToDepth(4)(np.ones((1, 1, 5, 1), "float32")).numpy()
    np.testing.assert_array_equal(folded[0, 0], [[1, 1, 1, 1], [1, 0, 0, 0]])


def test_saved_and_loaded_they_are_the_same(tmp_path):
    inputs = keras.Input((None, 5, 6, 1))
    model = keras.Model(inputs, DepthToSpace(2, (5, 6))(SpaceToDepth(2)(inputs)))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 6, 1)).astype("float32")
    np.testing.assert_array_equal(again(x), x)
