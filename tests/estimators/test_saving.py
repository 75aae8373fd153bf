"""A saved estimator is the same, loaded or served."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import kseq
from kseq.errors import ArtefactError
from kseq.serving.artefact import HOME
from kseq.serving.export import WITH_LENGTHS
from tests.estimators.conftest import KINDS, answers, make_fitted

SERVE = """
import pickle, sys
sys.modules["keras"] = sys.modules["kseq"] = None
import numpy as np, tensorflow as tf
folder = sys.argv[1]
answers = {}
for kind, requests in pickle.load(open(f"{folder}/requests", "rb")).items():
    model = tf.saved_model.load(f"{folder}/{kind}/1")
    for number, (signature, request) in enumerate(requests):
        given = {name: tf.constant(array) for name, array in request.items()}
        answer = model.signatures[signature](**given)
        answers[kind, number] = {name: value.numpy() for name, value in answer.items()}
pickle.dump(answers, open(f"{folder}/answers", "wb"))
"""


STRANGE = [
    "Ana met Bo, there 😀 👨‍👩‍👧",
    "",
    "Bo",
    "שלום Ana é İ",
    "x " * 500,
    "is Ana there?",
    "1984 A1 unseen",
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """The folder above an artefact of each kind."""
    return tmp_path_factory.mktemp("saved")


@cache
def version(base: Path, kind: str) -> Path:
    return make_fitted(kind)[0].save(base / kind)


OFTEN = [
    pytest.param(kind, marks=[] if kind == "classifier" else [pytest.mark.slow]) for kind in KINDS
]


@pytest.fixture(params=OFTEN)
def kind(request) -> str:
    return request.param


def test_what_is_loaded_is_what_was_saved(saved, kind):
    estimator, case = make_fitted(kind)
    path = version(saved, kind)
    assert path == saved / kind / "1"
    for place in (path, saved / kind, str(saved / kind)):
        loaded = kseq.load(place)
        found = answers(loaded, case.asked)
        np.testing.assert_allclose(found, answers(estimator, case.asked), atol=1e-6)
    assert type(loaded) is type(estimator)
    assert loaded.recipe_ == estimator.recipe_
    assert loaded.history_ == estimator.history_
    assert vars(loaded).keys() == vars(estimator).keys()
    # A loaded recipe has all its defaults.
    sections = {"model": None, "training": None, "text": None}
    params = {**loaded.get_params(deep=False), **sections}
    assert params == {**estimator.get_params(deep=False), **sections}
    if kind == "forecaster":
        future = case.asked[1]
        np.testing.assert_allclose(
            loaded.predict(future=future), estimator.predict(future=future), atol=1e-6
        )
    scored, before = loaded.evaluate(*case.given), estimator.evaluate(*case.given)
    assert scored.metrics == pytest.approx(before.metrics, rel=1e-5, nan_ok=True)
    for name, row in before.baselines.items():
        assert scored.baselines[name] == pytest.approx(row, nan_ok=True)
    # A loaded estimator goes on like any other.
    copied = pickle.loads(pickle.dumps(loaded))
    np.testing.assert_array_equal(answers(copied, case.asked), found)


def test_no_training_rows_are_in_an_artefact_but_the_last_window(saved):
    path = version(saved, "classifier")
    _, case = make_fitted("classifier")
    stored = json.loads((path / HOME / "preprocessing.json").read_text())
    assert stored["classes"] == ["down", "up"]
    warm = path / "assets.extra" / "tf_serving_warmup_requests"
    row = case.given[0][0].astype(np.float32).tobytes()
    for file in (p for p in path.rglob("*") if p.is_file()):
        assert row not in file.read_bytes()
    assert warm.exists()


def requests(kind: str) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Raw inputs of one and seven rows, of two lengths."""
    rng = np.random.default_rng(5)
    made = []
    for batch in (1, 7):
        for time in (9, 14):
            if kind == "classifier":
                made.append(("serving_default", {"x": rng.normal(size=(batch, time, 2))}))
            elif kind in ("text classifier", "tagger"):
                made.append(("serve_text", {"text": np.array(STRANGE[:batch])}))
                rows = [[*text.split()[:time], *[""] * time][:time] for text in STRANGE[:batch]]
                lengths = np.array([len(text.split()[:time]) for text in STRANGE[:batch]], "int32")
                made.append(("serve_tokens", {"tokens": np.array(rows), "lengths": lengths}))
            elif kind == "regressor":
                x, lengths = rng.normal(size=(batch, time, 2)), rng.integers(1, time + 1, batch)
                made.append((WITH_LENGTHS, {"x": x, "lengths": lengths.astype("int32")}))
                made.append(("serving_default", {"x": x}))
            elif kind == "video":
                x = rng.integers(0, 256, (batch, time, 8, 6, 1))
                made.append(("serving_default", {"x": x}))
                made.append(("serve_uint8", {"bytes": x.astype("uint8")}))
            else:
                x = rng.normal(size=(batch, time, 3))
                x[rng.random(x.shape) < 0.1] = np.nan
                known = rng.normal(size=(batch, 3, 1))
                made.append(("serving_default", {"x": x, "future": known}))
    float32 = {"x", "future"}
    return [
        (
            name,
            {
                k.replace("bytes", "x"): v.astype("float32") if k in float32 else v
                for k, v in given.items()
            },
        )
        for name, given in made
    ]


def expected(kind: str, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    estimator, _ = make_fitted(kind)
    if "text" in given or "tokens" in given:
        texts = given.get("text")
        if texts is None:
            pairs = zip(given["tokens"], given["lengths"], strict=True)
            texts = [row[:count].tolist() for row, count in pairs]
        if kind == "text classifier":
            labels = estimator.predict(texts).astype(bytes)
            return {"probabilities": estimator.predict_proba(texts), "label": labels}
        tags = [[tag.encode() for tag in row] for row in estimator.predict(texts)]
        width = max([1, *(len(row) for row in tags), np.shape(given.get("tokens", [[]]))[1]])
        spans = estimator.predict_spans(texts)
        most = max(len(row) for row in spans)
        return {
            "tags": np.array([[*row, *[b""] * (width - len(row))] for row in tags]),
            "span_probability": np.array(
                [[*(s.probability for s in row), *[0.0] * (most - len(row))] for row in spans]
            ).reshape(len(spans), most),
        }
    if kind == "classifier":
        return {
            "probabilities": estimator.predict_proba(given["x"]),
            "label": estimator.predict(given["x"]).astype(bytes),
        }
    if kind == "regressor":
        lengths = given.get("lengths", np.full(len(given["x"]), given["x"].shape[1]))
        cut = [x[:n] for x, n in zip(given["x"], lengths, strict=True)]
        return {"prediction": estimator.predict(cut)}
    if kind == "video":
        return {"frames": estimator.predict(given["x"])}
    names = ("a", "b", "known")
    histories = [dict(zip(names, x.T, strict=True)) for x in given["x"]]
    forecasts = estimator.predict(histories, given["future"])
    return {"forecast": np.stack([f["a"] for f in forecasts])[..., None]}


@pytest.mark.slow
def test_it_serves_the_same_where_neither_kseq_nor_keras_is(saved, tmp_path):
    asked = {}
    for kind in KINDS:
        shutil.copytree(version(saved, kind).parent, tmp_path / "moved" / kind)
        asked[kind] = requests(kind)
    (tmp_path / "moved" / "requests").write_bytes(pickle.dumps(asked))
    subprocess.run([sys.executable, "-c", SERVE, str(tmp_path / "moved")], check=True, timeout=300)
    served = pickle.loads((tmp_path / "moved" / "answers").read_bytes())
    for kind in KINDS:
        for number, (_, given) in enumerate(asked[kind]):
            want = expected(kind, given)
            assert served[kind, number].keys() >= want.keys()
            for name, values in want.items():
                if values.dtype.kind == "S":
                    assert served[kind, number][name].tolist() == values.tolist()
                elif values.dtype == np.uint8:
                    differ = served[kind, number][name].astype(int) - values
                    assert np.abs(differ).max() <= 1
                else:
                    np.testing.assert_allclose(
                        served[kind, number][name], values, rtol=1e-5, atol=1e-5
                    )


def test_a_version_is_never_overwritten_and_a_broken_one_is_refused(saved, tmp_path):
    path = version(saved, "classifier")
    shutil.copytree(path.parent, tmp_path / "copy")
    stored = tmp_path / "copy" / "1" / HOME / "preprocessing.json"
    stored.write_text(stored.read_text().replace("down", "DOWN"))
    with pytest.raises(ArtefactError, match=r"preprocessing\.json"):
        kseq.load(tmp_path / "copy")
    with pytest.raises(ArtefactError, match="does not exist"):
        kseq.load(tmp_path / "nothing")
