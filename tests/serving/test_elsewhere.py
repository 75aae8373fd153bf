"""The export by a process on TensorFlow, which other backends of Keras need."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import kseq
from kseq.errors import ArtefactError
from kseq.serving.artefact import read
from kseq.serving.elsewhere import export_elsewhere

X = np.random.default_rng(0).normal(size=(12, 6, 2)).astype("float32")
MODEL = {"builder": "stacked_rnn", "cell": "gru", "units": 4}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    estimator = kseq.SequenceRegressor(model=MODEL, training={"epochs": 1}).fit(X, np.arange(12.0))
    return estimator, estimator.save(tmp_path_factory.mktemp("saved"))


@pytest.mark.slow
def test_it_is_the_same_model(saved, tmp_path):
    estimator, version = saved
    export_elsewhere(read(version), tmp_path)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    (answer,) = served(x=tf.constant(X)).values()
    np.testing.assert_allclose(np.ravel(answer), estimator.predict(X), rtol=1e-5)


@pytest.mark.slow
def test_what_went_wrong_there_is_told(saved, tmp_path):
    broken = replace(read(saved[1]), recipe={"task": "regression", "model": {"builder": "none"}})
    with pytest.raises(ArtefactError, match=r"process on TensorFlow failed: .*builder"):
        export_elsewhere(broken, tmp_path)


SCRIPT = """
import sys
import keras
import numpy as np
import kseq

assert keras.config.backend() == "torch"
folder, X = sys.argv[1], np.load(sys.argv[1] + "/X.npy")
for cell in ("rnn", "gru", "lstm", "slstm"):
    model = {"builder": "stacked_rnn", "cell": cell, "units": 4, "bidirectional": True}
    regressor = kseq.SequenceRegressor(model=model, training={"epochs": 2})
    regressor.fit(X, np.arange(12.0)).save(f"{folder}/{cell}")
    np.save(f"{folder}/{cell}.npy", regressor.predict(X))
tagger = kseq.SequenceTagger(model={"units": 4}, training={"epochs": 2})
tagger.fit([["a", "b"], ["c"]] * 6, [["X", "O"], ["O"]] * 6).save(f"{folder}/tagger")
np.save(f"{folder}/tagger.npy", tagger.predict([["a", "b", "c"]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_trained_on_pytorch_loaded_on_tensorflow(tmp_path):
    np.save(tmp_path / "X.npy", X)
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        check=True,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        cwd=Path(__file__).parents[2],
    )
    for cell in ("rnn", "gru", "lstm", "slstm"):
        found = kseq.load(tmp_path / cell).predict(X)
        np.testing.assert_allclose(found, np.load(tmp_path / f"{cell}.npy"), rtol=1e-4, atol=1e-5)
    found = kseq.load(tmp_path / "tagger").predict([["a", "b", "c"]])
    np.testing.assert_array_equal(found, np.load(tmp_path / "tagger.npy"))
