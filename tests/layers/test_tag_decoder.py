"""Decoding inside the graph, against every tagging there is."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq.layers.crf import CRF
from kseq.layers.tag_decoder import TagDecoder
from kseq.tags import continues, forbidden, scheme_of, spans

BIO = ["B-a", "B-b", "I-a", "I-b", "O"]
BIOES = ["B-a", "E-a", "I-a", "O", "S-a"]
PLAIN = ["DET", "NOUN", "VERB"]
LENGTHS = np.array([4, 0, 2, 1, 3])
MASK = np.arange(4)[None] < LENGTHS[:, None]
SPANS = ("starts", "ends", "span_probabilities")


def decoder_of(names: list[str], constrained: bool = True) -> TagDecoder:
    """A decoder whose chain has random scores and a temperature."""
    scheme = scheme_of(names)
    crf = CRF(
        forbidden=forbidden(names, scheme) if scheme else None,
        constrained=constrained,
        name="crf",
    )
    crf.build((None, None, len(names)))
    random = np.random.default_rng(1)
    crf.set_weights([*(random.normal(size=w.shape) for w in crf.weights[:3]), np.array(1.5)])
    return TagDecoder(
        crf,
        continues=continues(names) if scheme else None,
        outside=[name == "O" for name in names] if scheme else None,
        name="decoder",
    )


def emissions_of(names: list[str], seed: int = 0, time: int = 4) -> np.ndarray:
    random = np.random.default_rng(seed)
    return 2 * random.normal(size=(5, time, len(names))).astype("float32")


def taggings(decoder: TagDecoder, scores: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every tagging of one text."""
    crf = decoder.crf
    transitions, start, end, temperature = (w.numpy() for w in crf.weights)
    parts = crf.forbidden or [np.zeros(len(start)), transitions * 0, np.zeros(len(start))]
    never = [np.asarray(part, bool) for part in parts]
    totals = {}
    for tags in itertools.product(range(len(start)), repeat=len(scores)):
        bad = never[0][tags[0]] or never[2][tags[-1]]
        bad = bad or any(never[1][a, b] for a, b in itertools.pairwise(tags))
        total = start[tags[0]] + end[tags[-1]]
        total += sum(scores[step, tag] for step, tag in enumerate(tags))
        total += sum(transitions[a, b] for a, b in itertools.pairwise(tags))
        totals[tags] = 0.0 if bad and crf.constrained else np.exp(total / temperature)
    return {tags: value / sum(totals.values()) for tags, value in totals.items()}


def decoded(decoder: TagDecoder, scores: np.ndarray, mask=MASK) -> dict[str, np.ndarray]:
    return {
        name: keras.ops.convert_to_numpy(value)
        for name, value in decoder(scores, mask=mask).items()
    }


@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize("names", [BIO, BIOES, PLAIN], ids=["bio", "bioes", "plain"])
@pytest.mark.parametrize("seed", range(3))
def test_against_every_tagging(names, constrained, seed):
    decoder, scores = decoder_of(names, constrained), emissions_of(names, seed)
    found = decoded(decoder, scores)
    goes_on = continues(names)
    for row, length in enumerate(LENGTHS):
        tags = found["tags"][row, :length].tolist()
        assert not found["tags"][row, length:].any()
        assert not found["probabilities"][row, length:].any()
        if not length:
            continue
        every = taggings(decoder, scores[row, :length])
        if constrained:
            best = max(every, key=every.__getitem__)
            assert every[tuple(tags)] == pytest.approx(every[best], rel=1e-4)
        expected = np.zeros((length, len(names)))
        for each, probability in every.items():
            for step, tag in enumerate(each):
                expected[step, tag] += probability
        np.testing.assert_allclose(found["probabilities"][row, :length], expected, atol=1e-5)
        if names is PLAIN:
            continue
        for span in spans([names[tag] for tag in tags]):
            as_it_stands = sum(
                probability
                for each, probability in every.items()
                if list(each[span.start : span.end]) == tags[span.start : span.end]
                and (span.end == length or not goes_on[each[span.end - 1], each[span.end]])
            )
            got = found["span_probabilities"][row, span.end - 1]
            assert got == pytest.approx(as_it_stands, abs=1e-5)


@pytest.mark.parametrize("names", [BIO, BIOES], ids=["bio", "bioes"])
def test_starts_and_ends_are_those_of_the_spans(names):
    decoder = decoder_of(names)
    some = 0
    for seed in range(8):
        found = decoded(decoder, emissions_of(names, seed))
        for row, length in enumerate(LENGTHS):
            expected = spans([names[tag] for tag in found["tags"][row, :length]])
            starts, ends = (np.flatnonzero(found[name][row]) for name in SPANS[:2])
            assert [(s, e + 1) for s, e in zip(starts, ends, strict=True)] == [
                (span.start, span.end) for span in expected
            ]
            probabilities = found["span_probabilities"][row]
            assert set(np.flatnonzero(probabilities)) <= set(ends)
            assert (probabilities >= 0).all()
            assert (probabilities <= 1 + 1e-6).all()
            some += len(expected)
    assert some > 20


def test_spans_that_touch_are_kept_apart():
    decoder = decoder_of(BIO)
    tagging = np.array([[0, 0, 2, 1], [0, 2, 1, 3]])  # B-a B-a I-a B-b; B-a I-a B-b I-b
    scores = 50 * np.eye(5, dtype="float32")[tagging]
    found = decoded(decoder, scores, None)
    np.testing.assert_array_equal(found["tags"], tagging)
    assert found["starts"].tolist() == [[True, True, False, True], [True, False, True, False]]
    assert found["ends"].tolist() == [[True, False, True, True], [False, True, False, True]]
    np.testing.assert_allclose(found["span_probabilities"], found["ends"], atol=1e-4)


@pytest.mark.parametrize("names", [BIO, PLAIN], ids=["bio", "plain"])
def test_padding_and_other_rows_do_not_matter(names):
    decoder, scores = decoder_of(names), emissions_of(names)
    together = decoded(decoder, scores)
    for row, length in enumerate(LENGTHS):
        for time in {max(length, 1), 4, 7}:
            padded = np.full((1, time, len(names)), 9.0, "float32")
            padded[0, :length] = scores[row, :length]
            alone = decoded(decoder, padded, np.arange(time)[None] < length)
            for name, value in alone.items():
                np.testing.assert_allclose(
                    value[0, :length], together[name][row, :length], atol=1e-5
                )
                assert not value[0, length:].any()


def test_without_a_mask_all_steps_count():
    decoder, scores = decoder_of(BIO), emissions_of(BIO)
    one, other = decoded(decoder, scores, None), decoded(decoder, scores, np.ones((5, 4), bool))
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], atol=1e-6)


@pytest.mark.parametrize("names", [BIO, PLAIN], ids=["bio", "plain"])
def test_shapes_and_types_are_known_before_it_runs(names):
    decoder = decoder_of(names)
    x, mask = keras.Input((None, len(names))), keras.Input((None,), dtype="bool")
    symbolic = decoder(x, mask=mask)
    found = decoder(emissions_of(names), mask=MASK)
    assert list(found) == list(symbolic)
    assert list(found) == ["tags", "probabilities", *(() if names is PLAIN else SPANS)]
    for name, value in found.items():
        assert keras.backend.standardize_dtype(value.dtype) == symbolic[name].dtype
        assert symbolic[name].shape == (None, None, *value.shape[2:])
    assert decoder.compute_mask(x, mask) is None


@pytest.mark.parametrize("names", [BIO, PLAIN], ids=["bio", "plain"])
@pytest.mark.slow
def test_saved_reloaded_and_exported(names, tmp_path):
    decoder = decoder_of(names)
    x = keras.Input((None, len(names)), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    model = keras.Model({"x": x, "mask": mask}, decoder(decoder.crf(x), mask=mask))
    given = {"x": emissions_of(names), "mask": MASK}
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_layer("decoder").crf is again.get_layer("crf"), "still one chain"
    for name in ("continues", "outside"):
        assert again.get_layer("decoder").get_config()[name] == decoder.get_config()[name]
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    one = {"x": emissions_of(names)[:1, :1], "mask": MASK[:1, :1]}
    for batch in (given, one):
        for name, value in model(batch).items():
            np.testing.assert_array_equal(again(batch)[name], value)
            np.testing.assert_allclose(served.serve(batch)[name], value, atol=1e-5)


def test_a_shift_of_what_is_outside_changes_tags_and_no_probability():
    decoder = TagDecoder(
        CRF(initializer="zeros"), continues=[[False, False], [False, False]], outside=[False, True]
    )
    scores = np.array([[[0.0, 1.0], [0.0, 3.0]]], "float32")
    before = decoded(decoder, scores, None)
    decoder.outside_shift.assign(2.0)
    after = decoded(decoder, scores, None)
    assert (before["tags"].tolist(), after["tags"].tolist()) == ([[1, 1]], [[0, 1]])
    np.testing.assert_array_equal(before["probabilities"], after["probabilities"])
    np.testing.assert_allclose(after["span_probabilities"], [[1 / (1 + np.e), 0.0]], atol=1e-6)


@pytest.mark.parametrize(
    "given",
    [
        {"continues": [[False]]},
        {"outside": [True]},
        {"continues": [[False]], "outside": [True, False]},
    ],
    ids=str,
)
def test_continues_and_outside_belong_together(given):
    with pytest.raises(ValueError, match="continues and outside: expected booleans"):
        TagDecoder(CRF(), **given)


def test_it_stands_alone_and_is_float32_under_any_policy():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        decoder = TagDecoder(CRF())
        found = decoder(emissions_of(PLAIN).astype("float16"))
    finally:
        keras.config.set_dtype_policy("float32")
    assert sorted(found) == ["probabilities", "tags"]
    assert found["probabilities"].dtype == "float32"
    assert {str(w.dtype) for w in decoder.weights} == {"float32"}


SCRIPT = """
import sys
import numpy as np
import keras
from kseq.layers.crf import CRF
from kseq.layers.tag_decoder import TagDecoder
from kseq.tags import continues, forbidden
assert keras.backend.backend() == sys.argv[2]
case = np.load(sys.argv[1])
names = ["B-a", "B-b", "I-a", "I-b", "O"]
crf = CRF(forbidden=forbidden(names, "bio"))
crf.build((None, None, 5))
crf.set_weights([case[f"w{n}"] for n in range(4)])
decoder = TagDecoder(crf, continues=continues(names), outside=[name == "O" for name in names])
found = decoder(case["x"], mask=keras.ops.convert_to_tensor(case["mask"]))
for name, value in found.items():
    np.testing.assert_allclose(keras.ops.convert_to_numpy(value), case[name], atol=1e-5)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    decoder, x = decoder_of(BIO), emissions_of(BIO)
    case = {f"w{n}": w for n, w in enumerate(decoder.crf.get_weights())}
    np.savez(tmp_path / "case.npz", x=x, mask=MASK, **case, **decoded(decoder, x))
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "case.npz"), backend],
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=Path(__file__).parents[2],
    )
