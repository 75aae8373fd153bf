"""The CRF as a Keras layer: configuration, files, dtypes, masks, training and export."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import ops

from kseq.layers.crf import CRF

FORBIDDEN = ([False, False, True], np.diag([False, True, False]), [False, True, False])
ON_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="asks TensorFlow itself"
)


def tagger(**options):
    """A model of one layer below the CRF, and data that it can learn."""
    random = np.random.default_rng(0)
    x = random.normal(size=(16, 6, 4)).astype("float32")
    y = random.integers(0, 3, (16, 6))
    y[:4, 4:] = -1
    inputs = keras.Input((None, 4), name="x")
    scores = keras.layers.Dense(3, name="scores")(inputs)
    return keras.Model(inputs, CRF(name="crf", **options)(scores)), x, y


def test_configuration_round_trip():
    crf = CRF(
        forbidden=FORBIDDEN,
        constrained=False,
        initializer=keras.initializers.RandomNormal(seed=1),
        regularizer=keras.regularizers.L2(0.1),
        name="tags",
        trainable=False,
    )
    config = json.loads(json.dumps(crf.get_config()))
    again = CRF.from_config(config)
    assert again.get_config() == crf.get_config()
    again.build((None, None, 3))
    crf.build((None, None, 3))
    np.testing.assert_array_equal(again.get_weights()[0], crf.get_weights()[0])
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(crf))
    assert revived.get_config() == crf.get_config()
    assert CRF().get_config()["forbidden"] is None


def test_weights_begin_small():
    crf = CRF(regularizer=keras.regularizers.L2(1.0))
    crf.build((None, None, 50))
    transitions, start, end, temperature = crf.get_weights()
    assert 0.05 < np.abs(transitions).max() <= 0.1
    assert not start.any()
    assert not end.any()
    assert temperature == 1
    penalty = sum(ops.convert_to_numpy(ops.stop_gradient(loss)) for loss in crf.losses)
    assert penalty == pytest.approx((transitions**2).sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("forbidden", "message"),
    [
        (([True], [[True]]), r"of the shapes .* got \(1,\), \(1, 1\)$"),
        (([True, False], [[True]], [True, False]), r"got \(2,\), \(1, 1\), \(2,\)"),
        ((True, True, True), r"got \(\), \(\), \(\)"),
        ((), r"of the shapes"),
    ],
)
def test_what_is_forbidden_has_a_shape(forbidden, message):
    with pytest.raises(ValueError, match=message):
        CRF(forbidden=forbidden)


def test_the_number_of_tags_is_checked():
    with pytest.raises(ValueError, match="is about 3 tags, but the emissions have 4"):
        CRF(forbidden=FORBIDDEN).build((None, None, 4))
    with pytest.raises(ValueError, match="n: expected a positive number of taggings, got 0"):
        CRF().decode_nbest(np.zeros((1, 2, 3), "float32"), n=0)


def test_no_mask_comes_out():
    tokens = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(5, 3, mask_zero=True)(tokens)
    crf = CRF()
    model = keras.Model(tokens, crf(embedded))
    model.compile("sgd", loss=crf.loss)
    x = np.array([[1, 2, 0], [3, 0, 0]])
    loss = model.evaluate(x, np.array([[1, 2, -1], [0, -1, -1]]), verbose=0)
    expected = crf.loss(np.array([[1, 2, -1], [0, -1, -1]]), model(x))
    assert loss == pytest.approx(float(ops.mean(ops.stop_gradient(expected))), rel=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def test_everything_is_float32(policy):
    crf = CRF(dtype=policy)
    x = keras.Input((None, 3), dtype="float16")
    assert crf(x).dtype == "float32"
    emissions = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    assert {keras.backend.standardize_dtype(w.dtype) for w in crf.weights} == {"float32"}
    np.testing.assert_array_equal(ops.convert_to_numpy(crf(emissions)), emissions)
    for narrow in ("float16", "bfloat16"):
        half = ops.cast(emissions, narrow)
        got = crf.marginals(half)
        assert keras.backend.standardize_dtype(got.dtype) == "float32"
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (got, crf.marginals(crf(half)))))


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_transitions_are_learnt(jit_compile):
    """A tag depends on the one before, in a way that no emission shows."""
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch.compile needs a C++ compiler")
    keras.utils.set_random_seed(1)
    model, x, steps = tagger(forbidden=[FORBIDDEN[0], np.eye(3), FORBIDDEN[0]])
    crf = model.get_layer("crf")
    tags = np.tile([0, 1], (len(x), 3))
    model.compile(keras.optimizers.Adam(0.3), loss=crf.loss, jit_compile=jit_compile)
    y = np.where(steps < 0, -1, tags)
    losses = model.fit(x, y, epochs=8, batch_size=5, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * losses[0]
    np.testing.assert_array_equal(ops.convert_to_numpy(crf.decode(model(x))), tags)
    assert ops.convert_to_numpy(crf.transitions).argmax(axis=1).tolist()[:2] == [1, 0]
    assert crf.get_weights()[-1] == 1, "the temperature is not trained"


def test_one_tag_alone():
    crf = CRF()
    inputs = keras.Input((None, 1))
    model = keras.Model(inputs, crf(inputs))
    model.compile("sgd", loss=crf.loss)
    x, y = np.ones((2, 3, 1), "float32"), np.zeros((2, 3), "int32")
    assert model.evaluate(x, y, verbose=0) == pytest.approx(0, abs=1e-6)
    assert not ops.convert_to_numpy(crf.decode(x)).any()


def test_saved_and_loaded(tmp_path):
    model, x, _ = tagger(forbidden=FORBIDDEN)
    crf = model.get_layer("crf")
    model.compile("adam", loss=crf.loss)
    crf.temperature.assign(1.5)
    path = str(tmp_path / "model.keras")
    model.save(path)
    again = keras.models.load_model(path, compile=False)
    other = again.get_layer("crf")
    assert other.get_config() == crf.get_config()
    for ask in ("marginals", "decode"):
        got, expected = getattr(other, ask)(again(x)), getattr(crf, ask)(model(x))
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (got, expected)))


@ON_TENSORFLOW
@pytest.mark.slow
def test_exported(tmp_path):
    import tensorflow as tf

    model, x, y = tagger(forbidden=FORBIDDEN)
    crf = model.get_layer("crf")

    class Service(tf.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        @tf.function(
            input_signature=[
                tf.TensorSpec((None, None, 4), name="x"),
                tf.TensorSpec((None, None), tf.bool, name="mask"),
            ]
        )
        def serve(self, x, mask):
            scores = self.model(x)
            tags, log_p = crf.decode_nbest(scores, mask, n=2)
            return {
                "tags": crf.decode(scores, mask),
                "probabilities": crf.marginals(scores, mask),
                "nbest": tags,
                "log_probabilities": log_p,
            }

    service = Service()
    tf.saved_model.save(service, str(tmp_path), signatures={"serve": service.serve})
    serve = tf.saved_model.load(str(tmp_path)).signatures["serve"]
    for rows, steps in ((16, 6), (1, 1), (0, 4)):
        some, mask = tf.constant(x[:rows, :steps]), tf.constant(y[:rows, :steps] >= 0)
        got = serve(x=some, mask=mask)
        scores = model(some) if rows else some[..., :3]
        assert got["tags"].shape == (rows, steps)
        np.testing.assert_array_equal(got["tags"], crf.decode(scores, mask))
        np.testing.assert_allclose(got["probabilities"], crf.marginals(scores, mask), atol=1e-6)
        tags, log_p = crf.decode_nbest(scores, mask, n=2)
        np.testing.assert_array_equal(got["nbest"], tags)
        np.testing.assert_allclose(got["log_probabilities"], log_p, atol=1e-5)


@ON_TENSORFLOW
@pytest.mark.parametrize("scale", [1, 60])
def test_the_gradient_in_a_graph_is_the_eager_one(scale):
    """With an unknown batch and time; the larger scores take the other branch of the sums."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    crf = CRF()
    crf.build((None, None, 5))
    variables = [v.value for v in crf.trainable_weights]

    def gradient(emissions, tags, mask, weight):
        with tf.GradientTape() as tape:
            tape.watch(emissions)
            each = crf.negative_log_likelihood(emissions, tags, mask, step_weight=weight)
            loss = tf.reduce_sum(each)
        return loss, *tape.gradient(loss, [emissions, *variables])

    unknown = [(None, None, 5), (None, None), (None, None), (None, None)]
    dtypes = ["float32", "int32", "bool", "float32"]
    signature = [tf.TensorSpec(*pair) for pair in zip(unknown, dtypes, strict=True)]
    graph = tf.function(gradient, input_signature=signature)
    for rows, steps in ((4, 7), (1, 1)):
        arguments = [
            tf.constant(random.normal(size=(rows, steps, 5)) * scale, "float32"),
            tf.constant(random.integers(0, 5, (rows, steps)), "int32"),
            tf.constant(random.random((rows, steps)) < 0.8),
            tf.constant(random.random((rows, steps)), "float32"),
        ]
        for got, expected in zip(graph(*arguments), gradient(*arguments), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
