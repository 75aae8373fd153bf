"""What a token's characters say: against NumPy, and blind to whatever is padding."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq.layers import LSTM
from kseq.layers.characters import CharacterCNN, CharacterLSTM

VOCABULARY, WIDTH = 9, 4
# Two texts of three tokens; the second has one token alone.
IDS = np.zeros((2, 3, 5), "int32")
IDS[0, 0] = [3, 4, 5, 0, 0]
IDS[0, 1] = [2, 3, 4, 5, 6]
IDS[0, 2] = [8, 0, 0, 0, 0]
IDS[1, 0] = [6, 6, 0, 0, 0]

every_layer = pytest.mark.parametrize("kind", ["cnn", "cnn even", "lstm"])
MAKERS = {
    "cnn": (CharacterCNN, {"filters": 6, "kernel_size": 3}),
    "cnn even": (CharacterCNN, {"filters": 6, "kernel_size": 4}),
    "lstm": (CharacterLSTM, {"units": 3}),
}


def make(kind: str, **options):
    """A layer whose weights are all random, the bias too."""
    layer_class, own = MAKERS[kind]
    layer = layer_class(VOCABULARY, width=WIDTH, **{**own, **options})
    layer.build((None, None, None))
    random = np.random.default_rng(3)
    layer.set_weights([random.normal(scale=0.6, size=w.shape) for w in layer.weights])
    return layer


def numbers(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def convolved(layer: CharacterCNN, token: list[int]) -> np.ndarray:
    """The strongest answer of each filter, around every character of a token."""
    embeddings, kernel, bias = (w.numpy() for w in layer.weights)
    if not token:
        return np.zeros(layer.filters)
    size = layer.kernel_size
    before = (size - 1) // 2
    letters = [np.zeros(WIDTH)] * before + [embeddings[c] for c in token]
    letters += [np.zeros(WIDTH)] * (size - 1 - before)
    spans = [np.concatenate(letters[at : at + size]) for at in range(len(token))]
    return np.max([np.tanh(span @ kernel + bias) for span in spans], axis=0)


def read(layer: CharacterLSTM, token: list[int]) -> np.ndarray:
    """Where each direction of a plain LSTM ends."""
    if not token:
        return np.zeros(2 * layer.units)
    embeddings, *weights = (w.numpy() for w in layer.weights)
    ends = []
    for direction in (0, 1):
        plain = keras.layers.LSTM(layer.units)
        plain.build((None, None, WIDTH))
        plain.set_weights(weights[3 * direction : 3 * direction + 3])
        letters = embeddings[token[::-1] if direction else token]
        ends.append(plain(letters[None]).numpy()[0])
    return np.concatenate(ends)


@every_layer
def test_against_an_oracle(kind):
    layer = make(kind)
    oracle = read if kind == "lstm" else convolved
    expected = [[oracle(layer, token[token > 0].tolist()) for token in text] for text in IDS]
    got = numbers(layer(IDS))
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert not got[1, 1:].any(), "no characters, no features"
    assert got.shape == layer.compute_output_shape(IDS.shape)
    assert layer.compute_output_shape((None, None, None)) == (None, None, 6)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_filters_of_every_size(kernel_size, length):
    layer = make("cnn", kernel_size=kernel_size)
    token = list(range(2, 2 + length))
    got = numbers(layer(np.array([[token]])))[0, 0]
    np.testing.assert_allclose(got, convolved(layer, token), atol=1e-6)


@every_layer
def test_padding_is_absent(kind):
    layer = make(kind)
    expected = numbers(layer(IDS))
    wider = numbers(layer(np.pad(IDS, ((0, 0), (0, 2), (0, 7)))))
    np.testing.assert_allclose(wider[:, :3], expected, atol=1e-6)
    assert not wider[:, 3:].any()
    # What the embedding holds for id 0 is never seen.
    weights = layer.get_weights()
    weights[0][0] = 99.0
    layer.set_weights(weights)
    np.testing.assert_allclose(numbers(layer(IDS)), expected, atol=1e-6)


@every_layer
def test_a_batch_is_its_rows_and_a_text_its_tokens(kind):
    layer = make(kind)
    together = numbers(layer(IDS))
    for row in range(2):
        np.testing.assert_allclose(numbers(layer(IDS[row : row + 1]))[0], together[row], atol=1e-6)
        for step in range(3):
            token = IDS[row, step]
            token = token[: max(1, (token > 0).sum())]
            alone = numbers(layer(token[None, None]))
            np.testing.assert_allclose(alone[0, 0], together[row, step], atol=1e-6)


@every_layer
def test_a_token_that_stands_there_twice_learns_twice(kind):
    layer = make(kind)
    once, twice = IDS[:1, :2], np.tile(IDS[:1, :2], (3, 2, 1))
    np.testing.assert_array_equal(numbers(layer(twice))[2, 2:], numbers(layer(twice))[0, :2])

    def gradients(ids, share):
        with tf.GradientTape() as tape:
            loss = share * tf.reduce_sum(layer(ids) ** 2)
        return tape.gradient(loss, [w.value for w in layer.trainable_weights])

    for one, other in zip(gradients(once, 6.0), gradients(twice, 1.0), strict=True):
        np.testing.assert_allclose(
            numbers(tf.convert_to_tensor(one)), numbers(tf.convert_to_tensor(other)), atol=1e-5
        )


@every_layer
def test_dropout_is_for_training_alone(kind):
    layer, plain = make(kind, dropout=0.5), make(kind)
    np.testing.assert_array_equal(numbers(layer(IDS)), numbers(plain(IDS)))
    shown = numbers(layer(IDS, training=True))
    assert np.abs(shown - numbers(plain(IDS)))[IDS.any(axis=-1)].max() > 0.01
    assert not shown[1, 1:].any()
    assert (shown != numbers(layer(IDS, training=True))).any()


@every_layer
def test_only_characters_that_occur_learn(kind):
    layer = make(kind)
    pick = np.random.default_rng(0).normal(size=(2, 3, 6)).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(IDS) * pick)
    gradients = tape.gradient(loss, [w.value for w in layer.trainable_weights])
    gradients = [numbers(tf.convert_to_tensor(gradient)) for gradient in gradients]
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert all(np.abs(gradient).max() > 1e-4 for gradient in gradients)
    moved = np.flatnonzero(np.abs(gradients[0]).max(axis=1))
    if kind == "lstm":  # every character is on the way to the end; not all are the strongest
        assert moved.tolist() == sorted(set(IDS[IDS > 0].tolist()))
    assert set(moved.tolist()) <= set(IDS[IDS > 0].tolist())


@every_layer
def test_texts_without_any_character(kind):
    layer = make(kind)
    none = np.zeros((2, 1, 1), "int32")
    assert not numbers(layer(none)).any()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(none))
    for gradient in tape.gradient(loss, [w.value for w in layer.trainable_weights]):
        assert not numbers(tf.convert_to_tensor(gradient)).any()


@every_layer
@pytest.mark.parametrize("policy", ["float16", "float64", "mixed_float16", "mixed_bfloat16"])
def test_dtype_policies(kind, policy):
    layer = make(kind, dtype=policy)
    out = layer(IDS)
    assert out.dtype == layer.compute_dtype
    expected = "float32" if policy.startswith("mixed") else policy
    assert {str(w.dtype) for w in layer.weights} == {expected}
    np.testing.assert_allclose(numbers(out), numbers(make(kind)(IDS)), atol=0.05)
    assert not numbers(out)[1, 1:].any()


@every_layer
def test_its_configuration_round_trips(kind):
    layer = make(kind, name="letters", dtype="mixed_bfloat16", trainable=False, dropout=0.25)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(revived) is type(layer)
    assert revived.get_config() == layer.get_config()
    assert [w.shape for w in revived.weights] == [w.shape for w in layer.weights]


@every_layer
def test_the_same_weights_have_the_same_paths(kind):
    paths = [[w.path for w in make(kind, name="letters").weights] for _ in range(2)]
    assert paths[0] == paths[1]
    assert len(set(paths[0])) == len(paths[0])
    assert all(path.startswith("letters/") for path in paths[0])


@pytest.mark.parametrize("kind", ["cnn", pytest.param("lstm", marks=pytest.mark.slow)])
def test_it_learns_is_saved_reloaded_and_exported(kind, tmp_path):
    ids = keras.Input((None, None), dtype="int32", name="ids")
    features = make(kind)(ids)
    assert features.shape == (None, None, 6)
    assert features.dtype == "float32"
    model = keras.Model(ids, keras.layers.Dense(1, name="out")(features))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    target = np.arange(6.0).reshape(2, 3, 1)
    losses = model.fit(IDS, target, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again(IDS), model(IDS))
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    for given in (IDS, IDS[:1, :1], np.pad(IDS, ((0, 3), (0, 2), (0, 1)))):
        np.testing.assert_allclose(served.serve(given), model(given), atol=1e-6)


def test_it_starts_small():
    for kind in ("cnn", "lstm"):
        layer_class, own = MAKERS[kind]
        layer = layer_class(500, width=30, **own)
        layer.build((None, None, None))
        embeddings = layer.get_weights()[0]
        assert np.abs(embeddings).max() <= (3 / 30) ** 0.5
        assert embeddings.std() == pytest.approx(30**-0.5, rel=0.05)
    assert isinstance(layer.reader.forward_layer, LSTM)


SCRIPT = """
import sys
import numpy as np
import keras
from kseq.layers.characters import CharacterCNN, CharacterLSTM
assert keras.backend.backend() == sys.argv[2]
case = np.load(sys.argv[1])
layers = [CharacterCNN(9, width=4, filters=6), CharacterLSTM(9, width=4, units=3)]
for name, layer in zip(("cnn", "lstm"), layers):
    layer.build((None, None, None))
    layer.set_weights([case[f"{name}{n}"] for n in range(len(layer.weights))])
    got = keras.ops.convert_to_numpy(layer(case["ids"]))
    np.testing.assert_allclose(got, case[name], atol=1e-5)
ids = keras.Input((None, None), dtype="int32")
model = keras.Model(ids, [keras.layers.Dense(1)(layer(ids)) for layer in layers])
model.compile("sgd", ["mse", "mse"])
before = [w.copy() for w in model.get_weights()]
assert np.isfinite(model.train_on_batch(case["ids"], [np.ones((2, 3, 1))] * 2)).all()
assert all((a != b).any() for a, b in zip(before, model.get_weights()))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    case = {"ids": IDS}
    for kind in ("cnn", "lstm"):
        layer = make(kind)
        case |= {f"{kind}{n}": w for n, w in enumerate(layer.get_weights())}
        case[kind] = numbers(layer(IDS))
    np.savez(tmp_path / "case.npz", **case)
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "case.npz"), backend],
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=Path(__file__).parents[2],
    )
