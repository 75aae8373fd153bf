"""The tagger's network: its layers, its chain, and what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.builders import build
from kseq.builders.bilstm_cnn_crf import bilstm_cnn_crf
from kseq.errors import RecipeError
from kseq.layers import LSTM
from kseq.layers.crf import CRF
from kseq.losses import ChainLoss, TagCrossEntropy
from kseq.spec import Spec
from kseq.tags import forbidden

BIO = ["B-x", "B-y", "I-x", "I-y", "O"]
BIOES = ["B-x", "E-x", "I-x", "O", "S-x"]
PLAIN = ["DET", "NOUN", "VERB", "X", "PUNCT"]
STREAMS = {"words": 30, "characters": 12}
LENGTHS = np.array([5, 3, 1], "int32")


def spec_of(tags=BIO, **options) -> Spec:
    options = {"streams": STREAMS, "features": 0, **options}
    return Spec(outputs=len(tags), per_step=True, tags=tags, **options)


def batch(time: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "words": random.integers(1, 30, (3, time)).astype("int32"),
        "characters": random.integers(1, 12, (3, time, 4)).astype("int32"),
        "lengths": LENGTHS,
    }


TAGS = np.random.default_rng(1).integers(0, 5, (3, 5)).astype("int32")
TAGS[np.arange(5)[None] >= LENGTHS[:, None]] = -1


def names(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    ("tags", "scheme"), [(BIO, "bio"), (BIOES, "bioes"), (PLAIN, None), ([], None)], ids=str
)
@pytest.mark.parametrize("constrained", [False, True])
def test_the_chain_knows_what_the_scheme_forbids(tags, scheme, constrained):
    spec = Spec(features=0, outputs=5, per_step=True, tags=tags, streams=STREAMS)
    crf = bilstm_cnn_crf(spec, units=4, constrained=constrained).get_layer("crf")
    assert isinstance(crf, CRF)
    assert crf.constrained == constrained
    if scheme is None:
        assert crf.forbidden is None
    else:
        for found, expected in zip(crf.forbidden, forbidden(tags, scheme), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_layers_follow_the_parameters():
    model = bilstm_cnn_crf(spec_of(), units=[6, 4], dropout=0.3)
    expected = ["words", "characters", "words_embedding", "character_cnn", "tokens"]
    expected += ["tokens_dropout", "lengths", "mask", "lstm_1_both_ways", "lstm_1_dropout"]
    expected += ["lstm_2_both_ways", "lstm_2_dropout", "scores", "crf"]
    assert sorted(names(model)) == sorted(expected)
    assert model.get_layer("lstm_1_both_ways").output.shape == (None, None, 12)
    assert model.get_layer("lstm_2_both_ways").output.shape == (None, None, 8)
    assert isinstance(model.get_layer("lstm_1_both_ways").backward_layer, LSTM)
    for name in ("tokens_dropout", "lstm_1_dropout", "lstm_2_dropout"):
        assert model.get_layer(name).rate == 0.3
    assert model.get_layer("character_cnn").dropout == 0.3
    other = bilstm_cnn_crf(spec_of(), units=4, embedding={"character_dropout": 0.0})
    assert other.get_layer("character_cnn").dropout == 0.0
    bare = bilstm_cnn_crf(spec_of(), units=4, dropout=0.0, decoder="softmax")
    assert not any("dropout" in name or name == "crf" for name in names(bare))
    assert bare.output is bare.get_layer("scores").output


@pytest.mark.parametrize("variational", [False, True])
def test_variational_drops_a_feature_at_all_steps(variational):
    spec = Spec(features=7, outputs=5, per_step=True, tags=BIO)
    model = bilstm_cnn_crf(spec, units=4, variational=variational)
    dropped = keras.Model(model.inputs, model.get_layer("tokens_dropout").output)
    given = {"x": np.ones((3, 20, 7), "float32"), "lengths": np.array([20, 20, 20])}
    keras.utils.set_random_seed(1)
    gone = dropped(given, training=True).numpy() == 0
    assert 0.2 < gone.mean() < 0.8
    assert (gone == gone[:, :1]).all() == variational
    np.testing.assert_array_equal(dropped(given), given["x"])


@pytest.mark.parametrize(
    ("options", "tags"),
    [
        ({"units": 4}, PLAIN),
        ({"units": [4, 3], "variational": True}, BIO),
        ({"units": 4, "embedding": {"character_encoder": "lstm", "character_units": 3}}, BIO),
        ({"units": 4, "decoder": "softmax"}, BIO),
        ({"units": 4, "constrained": False}, BIO),
    ],
    ids=str,
)
@pytest.mark.slow
def test_it_learns(options, tags):
    keras.utils.set_random_seed(2)
    model = build({"builder": "bilstm_cnn_crf", "dropout": 0.1, **options}, spec_of(tags))
    chain = [layer for layer in model.layers if isinstance(layer, CRF)]
    loss = ChainLoss(chain[0].negative_log_likelihood) if chain else TagCrossEntropy()
    model.compile(keras.optimizers.Adam(0.05), loss, run_eagerly=True)
    truth = TAGS.copy()
    if tags is BIO:  # what the scheme allows: B-x I-x O B-y I-y
        truth[TAGS >= 0] = np.broadcast_to([0, 2, 4, 1, 3], (3, 5))[TAGS >= 0]
    losses = [model.train_on_batch(batch(), truth) for _ in range(5)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.slow
def test_padding_is_absent_whatever_the_options(tmp_path):
    for number, options in enumerate(
        ({"units": [4, 3], "variational": True}, {"units": 4, "decoder": "softmax"})
    ):
        model = bilstm_cnn_crf(spec_of(), embedding={"character_encoder": "lstm"}, **options)
        expected = model(batch()).numpy()
        wider = {
            "words": np.pad(batch()["words"], ((0, 0), (0, 4)), constant_values=7),
            "characters": np.pad(batch()["characters"], ((0, 0), (0, 4), (0, 3))),
            "lengths": LENGTHS,
        }
        for row, length in enumerate(LENGTHS):
            wider["words"][row, length:] = 3
        got = model(wider).numpy()
        for row, length in enumerate(LENGTHS):
            np.testing.assert_allclose(got[row, :length], expected[row, :length], atol=1e-6)
        model.save(tmp_path / f"{number}.keras")
        again = keras.models.load_model(tmp_path / f"{number}.keras")
        np.testing.assert_array_equal(again(batch()), expected)


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_classes_of_the_whole_text_beside_the_tags(decoder):
    model = bilstm_cnn_crf(spec_of(classes=3), units=4, decoder=decoder)
    out = model(batch())
    assert {name: tuple(value.shape) for name, value in out.items()} == {
        "tags": (3, 5, 5),
        "classes": (3, 3),
    }
    assert ("crf" in names(model)) == (decoder == "crf")
    # The class is read off the strongest of the valid steps alone.
    steps = keras.Model(model.inputs, model.get_layer("lstm_1_dropout").output)(batch()).numpy()
    strongest = np.stack([steps[row, :n].max(axis=0) for row, n in enumerate(LENGTHS)])
    kernel, bias = model.get_layer("class_scores").get_weights()
    np.testing.assert_allclose(out["classes"], strongest @ kernel + bias, atol=1e-5)


@pytest.mark.parametrize("time", [None, 5])
def test_numbers_are_tagged_too(time):
    spec = Spec(features=3, outputs=5, per_step=True, tags=BIO, time=time)
    model = bilstm_cnn_crf(spec, units=4)
    x = np.random.default_rng(0).normal(size=(3, 5, 3)).astype("float32")
    out = model(x if time else {"x": x, "lengths": LENGTHS})
    assert out.shape == (3, 5, 5)
    assert "tokens" not in names(model)
    with pytest.raises(ValueError, match="an embedding is for text"):
        bilstm_cnn_crf(spec, units=4, embedding={"width": 3})


@pytest.mark.parametrize(
    "spec",
    [
        Spec(features=0, outputs=2, streams=STREAMS),
        Spec(features=2, outputs=2, time=9),
        Spec(features=2, outputs=2, time=9, horizon=3),
    ],
    ids=["text", "numbers", "forecast"],
)
def test_a_target_a_sequence_is_refused(spec):
    message = (
        "model: bilstm_cnn_crf: gives one tag a time step, but the targets are one a sequence; "
        "choose stacked_rnn, cnn_lstm or lstm_fcn"
    )
    with pytest.raises(RecipeError, match=message):
        build({"builder": "bilstm_cnn_crf"}, spec)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"units": []}, "model.units: expected .*1 item"),
        ({"decoder": "viterbi"}, "model.decoder: expected 'crf' or 'softmax', got 'viterbi'"),
        ({"dropout": 1.0}, "model.dropout: expected less than 1"),
        ({"bidirectional": True}, "model.bidirectional: unknown"),
    ],
)
def test_mistakes_name_their_path(parameters, message):
    with pytest.raises(RecipeError, match=message):
        build({"builder": "bilstm_cnn_crf", **parameters}, spec_of())
