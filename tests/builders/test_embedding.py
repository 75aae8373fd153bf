"""From ids to features a token."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.builders import build
from kseq.builders.embedding import embedding_size, stream_inputs, text_embedding
from kseq.builders.inputs import sequence_inputs
from kseq.errors import RecipeError
from kseq.layers.characters import CharacterCNN, CharacterLSTM
from kseq.schema import fill
from kseq.spec import Spec

STREAMS = {"words": 19, "characters": 11, "prefixes": 7, "suffixes": 6, "casing": 8}
SPEC = Spec(features=0, outputs=2, streams=STREAMS, affixes=3)
WIDTHS = {"width": 5, "character_units": 4, "casing_width": 2, "affix_width": 3}


def embedded(spec: Spec = SPEC, **parameters) -> keras.Model:
    inputs = stream_inputs(spec)
    return keras.Model(inputs, text_embedding(spec, inputs, **parameters))


def ids_for(spec: Spec = SPEC, time: int = 4) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {"characters": (2, time, 5), "prefixes": (2, time, 3), "suffixes": (2, time, 3)}
    return {
        name: random.integers(0, count, shapes.get(name, (2, time))).astype("int32")
        for name, count in spec.streams.items()
    }


def test_every_stream_has_an_input():
    inputs = stream_inputs(SPEC)
    assert {name: tuple(each.shape) for name, each in inputs.items()} == {
        "words": (None, None),
        "casing": (None, None),
        "characters": (None, None, None),
        "prefixes": (None, None, 3),
        "suffixes": (None, None, 3),
    }
    assert {each.dtype for each in inputs.values()} == {"int32"}
    assert {name: each.name for name, each in inputs.items()} == {name: name for name in STREAMS}
    assert stream_inputs(Spec(features=2, outputs=2)) == {}


def test_features_are_those_of_the_streams_side_by_side():
    model, ids = embedded(**WIDTHS), ids_for()
    table = {w.path.split("/")[0]: w.numpy() for w in model.weights if "embedding" in w.path}
    parts = [
        table["casing_embedding"][ids["casing"]],
        model.get_layer("character_cnn")(ids["characters"]),
        table["prefixes_embedding"][ids["prefixes"]].reshape(2, 4, -1),
        table["suffixes_embedding"][ids["suffixes"]].reshape(2, 4, -1),
        table["words_embedding"][ids["words"]],
    ]
    found = model(ids)
    assert found.shape == (2, 4, 2 + 4 + 3 * 3 + 3 * 3 + 5)
    assert model.output.shape == (None, None, 29)
    np.testing.assert_allclose(found, np.concatenate(parts, axis=-1), atol=1e-6)


def test_the_order_of_the_streams_does_not_matter():
    """A spec that comes back from a file may have them in another one."""
    ids, answers = ids_for(), []
    for names in (sorted(STREAMS), sorted(STREAMS, reverse=True)):
        keras.utils.set_random_seed(1)
        spec = Spec(features=0, outputs=2, streams={n: STREAMS[n] for n in names}, affixes=3)
        model = embedded(spec)
        answers.append(([w.path for w in model.weights], model(ids).numpy()))
    assert answers[0][0] == answers[1][0]
    np.testing.assert_array_equal(answers[0][1], answers[1][1])


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_alone(name):
    spec = Spec(features=0, outputs=2, streams={name: STREAMS[name]}, affixes=3)
    model = embedded(spec, **WIDTHS)
    width = {"words": 5, "characters": 4, "casing": 2}.get(name, 9)
    assert model.output.shape == (None, None, width)
    for time in (1, 6):
        assert model(ids_for(spec, time)).shape == (2, time, width)
    assert not any("tokens" in layer.name for layer in model.layers)


@pytest.mark.parametrize("parameters", [{}, WIDTHS, {"character_encoder": "lstm"}], ids=str)
@pytest.mark.parametrize("vectors", [0, 13])
def test_its_size_is_known_beforehand(parameters, vectors):
    spec = Spec(features=0, outputs=2, streams=STREAMS, affixes=3, vectors=vectors)
    filled, mistakes = fill("embedding", text_embedding, parameters)
    assert not mistakes
    model = embedded(spec, **parameters)
    assert embedding_size(spec, filled) == (model.output.shape[-1], model.count_params())


def test_vectors_bring_their_own_width():
    spec = Spec(features=0, outputs=2, streams={"words": 19}, vectors=13)
    assert embedded(spec, width=5).output.shape == (None, None, 13)


def test_frozen_words_do_not_learn():
    for frozen in (False, True):
        model = embedded(frozen=frozen)
        assert model.get_layer("words_embedding").trainable != frozen
        others = [layer for layer in model.layers if layer.name != "words_embedding"]
        assert all(layer.trainable for layer in others)


@pytest.mark.parametrize("encoder", ["cnn", "lstm"])
def test_characters_are_read_as_asked(encoder):
    model = embedded(character_encoder=encoder, character_width=7, character_units=6, kernel_size=5)
    if encoder == "cnn":
        layer = model.get_layer("character_cnn")
        assert isinstance(layer, CharacterCNN)
        assert (layer.width, layer.filters, layer.kernel_size) == (7, 6, 5)
    else:
        layer = model.get_layer("character_lstm")
        assert isinstance(layer, CharacterLSTM)
        assert (layer.width, layer.units) == (7, 6)
    assert layer.vocabulary == 11


@pytest.mark.parametrize("width", [4, 100])
def test_it_starts_with_features_of_a_sum_of_squares_of_one(width):
    spec = Spec(features=0, outputs=2, streams={"words": 2000})
    table = embedded(spec, width=width).get_weights()[0]
    assert (table**2).sum(axis=1).mean() == pytest.approx(1.0, rel=0.05)


# --- in a builder ---


def test_a_builder_fills_the_embedding():
    model = build({"builder": "stacked_rnn", "units": 3, "embedding": {"width": 6}}, SPEC)
    assert model.get_layer("words_embedding").embeddings.shape == (19, 6)
    assert model.get_layer("casing_embedding").embeddings.shape == (8, 8)


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        ({"width": 0}, "model.embedding.width: expected greater than 0, got 0"),
        ({"widht": 3}, r"model.embedding.widht: unknown .did you mean 'width'"),
        ({"character_encoder": "gru"}, "embedding.character_encoder: expected 'cnn' or 'lstm'"),
        ({"frozen": 1}, "model.embedding.frozen: expected boolean, got 1"),
        (100, "model.embedding: expected a mapping of width, .*, got 100"),
    ],
)
def test_a_mistake_has_its_path(embedding, message):
    with pytest.raises(RecipeError, match=message):
        build({"builder": "stacked_rnn", "embedding": embedding}, SPEC)


@pytest.mark.parametrize("embedding", [{}, {"width": 5}], ids=str)
def test_numbers_have_no_embedding(embedding):
    message = "an embedding is for text, but the sequences are numbers; leave it out"
    with pytest.raises(RecipeError, match=message):
        build({"builder": "stacked_rnn", "embedding": embedding}, Spec(features=2, outputs=2))


def test_a_huge_embedding_is_refused_before_it_is_allocated():
    spec = Spec(features=0, outputs=2, streams={"words": 2_000_000})
    with pytest.raises(RecipeError, match="parameters, expected at most 200,000,000"):
        build({"builder": "stacked_rnn", "embedding": {"width": 300}}, spec)


def test_text_always_comes_by_name():
    for spec in (
        Spec(features=0, outputs=2, streams={"words": 9}),
        Spec(features=0, outputs=2, streams={"words": 9}, time=4),
    ):
        inputs = sequence_inputs(spec)
        assert set(inputs.streams) == {"words"}
        assert (inputs.mask is None) == (spec.time is not None)
        model = inputs.model(inputs.x, "plain")
        given = {"words": np.ones((2, 4), "int32"), "lengths": np.array([4, 2], "int32")}
        names = {each.name for each in model.inputs}
        assert model({name: given[name] for name in names}).shape == (2, 4, 100)
