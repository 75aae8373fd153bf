"""The warm-up file is what a server reads."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kseq.serving.warmup import write_warmup

REQUESTS = [
    ("serving_default", {"x": np.ones((2, 3, 1), "float32")}),
    ("serve_lengths", {"x": np.ones((1, 2, 1), "float32"), "lengths": np.array([2], "int32")}),
    ("serving_default", {"words": np.array([["näve", "b"]])}),
]


def test_the_file_is_read_back(tmp_path: Path, capfd) -> None:
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    assert write_warmup(tmp_path, REQUESTS)
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    read = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = logs.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        read.append((request.model_spec.signature_name, request.inputs))
    assert [name for name, _ in read] == [name for name, _ in REQUESTS]
    for (_, found), (_, expected) in zip(read, REQUESTS, strict=True):
        assert found.keys() == expected.keys()
    lengths = tf.make_ndarray(read[1][1]["lengths"])
    np.testing.assert_array_equal(lengths, [2])
    assert tf.make_ndarray(read[2][1]["words"])[0, 0].decode() == "näve"
    assert capfd.readouterr() == ("", "")


def test_at_most_a_thousand(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow_serving.apis")
    write_warmup(tmp_path, REQUESTS[:1] * 1001)
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    assert sum(1 for _ in tf.data.TFRecordDataset(str(path))) == 1000


def test_without_the_library(tmp_path: Path, monkeypatch) -> None:
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.startswith("tensorflow_serving"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert write_warmup(tmp_path, REQUESTS) is False
    assert list(tmp_path.iterdir()) == []
