"""The whole way: saved, verified, published, read back, the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kseq.errors import ArtefactError
from kseq.serving import save as module
from kseq.serving.artefact import Artefact, check, read
from kseq.serving.save import save
from kseq.serving.weights import assign, collect


@pytest.fixture
def examples(sequences) -> list[dict[str, np.ndarray]]:
    return [
        {"x": sequences[:1, :4]},
        {"x": sequences.astype("float64"), "lengths": np.array([2, 3, 4, 5, 5, 4, 3])},
    ]


@pytest.fixture
def unverified(monkeypatch) -> list[list]:
    """What would have been verified, in place of the slow clean process."""
    seen: list[list] = []
    monkeypatch.setattr(module, "verify", lambda folder, cases, tolerance: seen.append(cases))
    return seen


@pytest.mark.slow
def test_the_whole_way(make_servable, servable, sequences, examples, tmp_path, capfd) -> None:
    artefact = Artefact({"name": "ner"}, {"classes": [3, 1, 2]}, collect(servable))
    given = {"x": sequences, "lengths": np.full(7, 5, "int32")}
    servable(given)  # TensorFlow says what it has to say of this machine
    capfd.readouterr()
    version = save(tmp_path / "ner", artefact, servable, examples=examples, labels=[3, 1, 2])
    assert capfd.readouterr() == ("", "")
    assert version == tmp_path / "ner" / "1"
    assert {path.name for path in version.parent.iterdir()} == {".lock", "1"}
    manifest = check(version)
    assert {"saved_model.pb", "variables/variables.index"} <= manifest.files.keys()
    again = make_servable()
    assign(again, read(version.parent).arrays)
    expected = again(given)["probabilities"]
    served = tf.saved_model.load(str(version)).signatures["serving_default"](tf.constant(sequences))
    np.testing.assert_allclose(served["probabilities"], expected, atol=1e-6)
    np.testing.assert_array_equal(served["label"], np.array([3, 1, 2])[np.argmax(expected, -1)])


def test_cases_cover_both_signatures(servable, examples, tmp_path, unverified) -> None:
    artefact = Artefact({}, {}, collect(servable))
    version = save(tmp_path, artefact, servable, examples=examples, labels=["a", "b", "c"])
    (cases,) = unverified
    signatures = ["serving_default", "serving_default", "serve_lengths"]
    assert [case.signature for case in cases] == signatures
    assert all(case.inputs["x"].dtype == "float32" for case in cases)
    assert cases[2].inputs["lengths"].dtype == "int32"
    assert all(case.expected.keys() == {"probabilities", "label"} for case in cases)
    warmup = (version / "assets.extra" / "tf_serving_warmup_requests").exists()
    assert check(version).notes == {"warmup": warmup}


def test_no_label_is_expected_of_a_tie(make_servable, sequences, tmp_path, unverified) -> None:
    servable = make_servable(ragged=False)
    servable.set_weights([weight * 0 for weight in servable.get_weights()])
    artefact = Artefact({}, {}, collect(servable))
    save(tmp_path, artefact, servable, examples=[{"x": sequences}], labels=["a", "b", "c"])
    assert unverified[0][0].expected.keys() == {"probabilities"}


def test_what_does_not_verify_is_not_published(
    servable, examples, tmp_path: Path, monkeypatch
) -> None:
    def refuse(*_: object) -> None:
        raise ArtefactError("answers otherwise")

    monkeypatch.setattr(module, "verify", refuse)
    with pytest.raises(ArtefactError, match="answers otherwise"):
        save(tmp_path, Artefact({}, {}, collect(servable)), servable, examples=examples)
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "at least one example"),
        ([{"lengths": np.ones(1)}], "an example has the inputs"),
        ([{"x": np.ones((1, 2, 3)), "future": np.ones(1)}], "an example has the inputs"),
    ],
)
def test_examples_that_do_not_fit(servable, tmp_path, examples, message) -> None:
    with pytest.raises(ArtefactError, match=message):
        save(tmp_path / "new", Artefact({}, {}, {}), servable, examples=examples)
    assert not (tmp_path / "new").exists()
