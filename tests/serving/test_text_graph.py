from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kseq.data.tokenizers import tokenize
from kseq.data.vocabulary import TextOptions, Vocabulary
from kseq.serving.text_graph import TextGraph

SAMPLES = [
    "Don't go, @ana! 3.5 1,000 U.S. a@b.com #tag well-known",
    "❤️love 👨‍👩‍👧 🇩🇪🇫🇷 👍🏽 1️⃣",
    "e\u0301t\u0301e\u0301 naïve ΣΊΣΥΦΟΣ İstanbul ǅ",
    "שלום עולם 我爱北京",
    "١٢٣ 12:30 ½ Ⅷ _x_ …",
    "",
    "  \t\n ",
    "x" * 300,
]
TRAIN = [["The", "cat", "1984", "Ana", "北京", "é"], ["the", "B2B", "iPhone", "x", "!"]]
OPTIONS = {
    "all": TextOptions(casing=True, affixes=3),
    "as written": TextOptions(lowercase=False, digits=False, max_characters=3),
    "characters": TextOptions(tokenizer="characters", characters=False, casing=True),
    "no words": TextOptions(words=False, affixes=1),
}
TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
        st.sampled_from("aB1 '-.,:@#\u200d\ufe0f\U0001f1e9\u0301"),
    ),
    max_size=20,
)


@pytest.fixture(scope="module", params=OPTIONS)
def both(request):
    """A vocabulary, and both functions of its graph for all sizes."""
    vocabulary = Vocabulary.learn(TRAIN, OPTIONS[request.param])
    graph = TextGraph(vocabulary)
    ids = tf.function(
        graph.ids,
        input_signature=[tf.TensorSpec((None, None), tf.string), tf.TensorSpec((None,), tf.int32)],
        autograph=False,
    )
    split = tf.function(
        graph.tokens, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
    )
    return vocabulary, ids, split


def padded(rows):
    width = max(1, *(len(row) for row in rows))
    return [[*row, *["ignored"] * (width - len(row))] for row in rows]


def same_as_python(both, texts):
    vocabulary, ids, split = both
    places = [tokenize(text, vocabulary.options.tokenizer) for text in texts]
    expected = [[text[a:b] for a, b in p] for text, p in zip(texts, places, strict=True)]
    found = {name: array.numpy() for name, array in split(tf.constant(texts)).items()}
    assert found["lengths"].tolist() == [len(tokens) for tokens in expected]
    for row, tokens in enumerate(expected):
        n = len(tokens)
        assert [token.decode() for token in found["tokens"][row, :n]] == tokens
        np.testing.assert_array_equal(found["starts"][row, :n], places[row][:, 0])
        np.testing.assert_array_equal(found["ends"][row, :n], places[row][:, 1])
    served = ids(tf.constant(padded(expected)), tf.constant(found["lengths"]))
    inputs = vocabulary.encode(expected).inputs(np.arange(len(texts)))
    assert served.keys() == inputs.keys()
    for name, array in inputs.items():
        got = served[name].numpy()
        if name == "characters":  # columns of padding may differ in number
            assert not got[:, :, array.shape[2] :].any()
            assert not array[:, :, got.shape[2] :].any()
            width = min(got.shape[2], array.shape[2])
            got, array = got[:, :, :width], array[:, :, :width]
        np.testing.assert_array_equal(got, array, err_msg=name)


def test_real_texts_are_split_and_looked_up_as_in_python(both):
    same_as_python(both, SAMPLES)


@given(texts=st.lists(TEXT, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_text_is_split_and_looked_up_as_in_python(both, texts):
    same_as_python(both, texts)


@given(tokens=st.lists(TEXT.filter(bool), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_token_is_looked_up_as_in_python(both, tokens):
    vocabulary, ids, _ = both
    served = ids(tf.constant([tokens]), tf.constant([len(tokens)], tf.int32))
    inputs = vocabulary.encode([tokens]).inputs(np.arange(1))
    for name, array in inputs.items():
        got = served[name].numpy()
        if name == "characters":
            got = got[:, :, : array.shape[2]]
        np.testing.assert_array_equal(got, array, err_msg=name)


def test_what_stands_behind_a_rows_length_is_not_looked_at(both):
    _, ids, _ = both
    one = ids(tf.constant([["The", "cat"]]), tf.constant([1]))
    other = ids(tf.constant([["The", "x"]]), tf.constant([1]))
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])
