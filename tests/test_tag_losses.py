"""Losses of tags, where a step without a tag has -1."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq.layers.crf import CRF
from kseq.losses import ChainLoss, TagCrossEntropy

TAGS = 4
TRUTH = np.array([[3, 0, 1, 2], [1, -1, -1, -1], [2, 2, -1, -1], [-1, -1, -1, -1]])
SCORES = (3 * np.random.default_rng(0).normal(size=(4, 4, TAGS))).astype("float32")


def cross_entropy(truth, scores, smoothing=0.0) -> float:
    """The mean over the steps that have a tag, in NumPy."""
    scores = scores.astype(float)
    logs = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    found = []
    for row, step in np.argwhere(truth >= 0):
        target = np.full(scores.shape[-1], smoothing / scores.shape[-1])
        target[truth[row, step]] += 1 - smoothing
        found.append(-(target * logs[row, step]).sum())
    return float(np.mean(found)) if found else 0.0


def likelihood(emissions, tags, mask):
    """Of a chain without transitions."""
    logs = keras.ops.log_softmax(emissions)
    own = keras.ops.take_along_axis(logs, keras.ops.expand_dims(tags, -1), axis=-1)[..., 0]
    return -keras.ops.sum(own * keras.ops.cast(mask, own.dtype), axis=1)


LOSSES = {
    "cross-entropy": TagCrossEntropy(),
    "smoothed": TagCrossEntropy(0.2),
    "chain": ChainLoss(likelihood),
}
every_loss = pytest.mark.parametrize("name", LOSSES)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_cross_entropy_equals_numpy(smoothing, dtype):
    loss = float(TagCrossEntropy(smoothing)(TRUTH.astype(dtype), SCORES))
    assert loss == pytest.approx(cross_entropy(TRUTH, SCORES, smoothing), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_equals_keras_where_every_step_has_a_tag(smoothing):
    truth = np.maximum(TRUTH, 0)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    expected = float(theirs(np.eye(TAGS, dtype="float32")[truth], SCORES))
    assert float(TagCrossEntropy(smoothing)(truth, SCORES)) == pytest.approx(expected, rel=1e-5)


def test_the_chain_without_transitions_is_the_cross_entropy():
    """Both are means over tags, not over sequences."""
    expected = cross_entropy(TRUTH, SCORES)
    assert float(ChainLoss(likelihood)(TRUTH, SCORES)) == pytest.approx(expected, rel=1e-5)
    crf = CRF(initializer="zeros")
    crf.build((None, None, TAGS))
    loss = ChainLoss(crf.negative_log_likelihood)
    assert float(loss(TRUTH, SCORES)) == pytest.approx(expected, rel=1e-5)


def test_the_chain_is_asked_with_tags_and_mask():
    asked = {}

    def remember(emissions, tags, mask):
        asked.update(emissions=emissions, tags=tags, mask=mask)
        return keras.ops.convert_to_tensor([4.0, 1.0, 2.5, 0.0])

    assert float(ChainLoss(remember)(TRUTH, SCORES)) == pytest.approx(7.5 / 7)
    np.testing.assert_array_equal(asked["mask"], TRUTH >= 0)
    np.testing.assert_array_equal(asked["tags"], np.maximum(TRUTH, 0))
    assert asked["tags"].dtype == "int32"
    np.testing.assert_array_equal(asked["emissions"], SCORES)


@every_loss
def test_padding_and_texts_without_tags_do_not_count(name):
    loss = LOSSES[name]
    expected = float(loss(TRUTH, SCORES))
    wider = np.pad(SCORES, ((0, 0), (0, 5), (0, 0)), constant_values=77.0)
    padded = np.pad(TRUTH, ((0, 0), (0, 5)), constant_values=-1)
    assert float(loss(padded, wider)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(TRUTH[:3], SCORES[:3])) == pytest.approx(expected, rel=1e-5)
    assert float(loss(np.full((2, 3), -1), SCORES[:2, :3])) == 0.0


@every_loss
def test_steps_without_a_tag_pull_at_nothing(name):
    scores = tf.constant(SCORES)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = LOSSES[name](TRUTH, scores)
    gradient = tape.gradient(loss, scores).numpy()
    np.testing.assert_array_equal(np.abs(gradient).max(axis=-1) > 0, TRUTH >= 0)


@every_loss
def test_scores_with_a_mask_of_their_own_cost_the_same(name):
    """Keras hands a mask on from layer to layer, and multiplies what a loss gives by it."""
    x, mask = keras.Input((None, TAGS)), keras.Input((None,), dtype="bool")
    steps = keras.layers.Lambda(lambda given: given[0], mask=lambda given, _: given[1])
    masked = keras.Model([x, mask], steps([x, mask]))([SCORES, TRUTH >= 0])
    assert keras.ops.shape(masked._keras_mask) == (4, 4)
    loss = LOSSES[name](TRUTH, masked)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(float(LOSSES[name](TRUTH, SCORES)), rel=1e-5)


def test_the_gradient_does_not_depend_on_a_mask():
    moved = []
    for layers in ([], [keras.layers.Masking()]):
        keras.utils.set_random_seed(1)
        dense = keras.layers.Dense(TAGS)
        model = keras.Sequential([keras.Input((None, TAGS)), *layers, dense])
        model.compile(keras.optimizers.SGD(1.0), TagCrossEntropy(), run_eagerly=True)
        model.train_on_batch(np.where((TRUTH >= 0)[..., None], SCORES, 0.0), TRUTH)
        moved.append(dense.get_weights())
    for one, other in zip(*moved, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@every_loss
@pytest.mark.parametrize("time", [1, 3])
def test_a_model_learns_tags_and_classes_side_by_side(name, time):
    x = keras.Input((None, 3), name="x")
    tags = keras.layers.Dense(TAGS, name="tags")(x)
    pooled = keras.layers.GlobalMaxPooling1D()(x)
    model = keras.Model(x, {"tags": tags, "classes": keras.layers.Dense(2, name="classes")(pooled)})
    whole = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.1), {"tags": LOSSES[name], "classes": whole})
    random = np.random.default_rng(1)
    given = random.normal(size=(6, time, 3)).astype("float32")
    truth = random.integers(-1, TAGS, (6, time)).astype("int32")
    truth[0, 0] = 2
    y = {"tags": truth, "classes": np.arange(6, dtype="float32") % 2}
    start = model(given)["tags"].numpy()
    history = model.fit(given, y, epochs=2, batch_size=6, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    smoothing = 0.2 if name == "smoothed" else 0.0
    assert history["tags_loss"][0] == pytest.approx(
        cross_entropy(truth, start, smoothing), rel=1e-4
    )


def test_cross_entropy_is_saved_with_a_model(tmp_path):
    loss = TagCrossEntropy(0.2, name="mine")
    described = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    again = keras.saving.deserialize_keras_object(described)
    assert again.get_config() == loss.get_config()
    assert float(again(TRUTH, SCORES)) == float(loss(TRUTH, SCORES))
    x = keras.Input((None, 3))
    model = keras.Model(x, keras.layers.Dense(TAGS)(x))
    model.compile("sgd", loss)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").loss.label_smoothing == 0.2


def test_a_model_with_a_chain_is_saved_and_loaded_without_its_loss(tmp_path):
    x, crf = keras.Input((None, 3)), CRF(name="crf")
    model = keras.Model(x, crf(keras.layers.Dense(TAGS, name="scores")(x)))
    model.compile("sgd", ChainLoss(crf.negative_log_likelihood))
    assert np.isfinite(model.train_on_batch(np.ones((4, 4, 3)), TRUTH))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again(np.ones((1, 2, 3))), model(np.ones((1, 2, 3))))
