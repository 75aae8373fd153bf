"""A SavedModel gives the model's answers, and holds nothing a server cannot run."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq.errors import ArtefactError
from kseq.serving.export import check_graph, export, label_array
from kseq.serving.operations import SERVABLE
from kseq.serving.recurrent import recurrent, without_cudnn

CLASSES = np.array(["sun", "rain", "näve/snow"])


@functools.cache
def load(folder: Path) -> Any:
    return tf.saved_model.load(str(folder))


def ask(folder: Path, signature: str = "serving_default", **inputs) -> dict[str, np.ndarray]:
    loaded = load(folder)
    answer = loaded.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
    return {name: tensor.numpy() for name, tensor in answer.items()}


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("time", [2, 5])
def test_the_default_signature_takes_full_rows(servable, exported, sequences, batch, time) -> None:
    x = sequences[:batch, :time]
    expected = servable({"x": x, "lengths": np.full(batch, time, "int32")})["probabilities"]
    answer = ask(exported, x=x)
    assert answer.keys() == {"probabilities", "label"}
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-6)
    best = CLASSES[np.argmax(expected, -1)]
    assert [label.decode() for label in answer["label"]] == best.tolist()


def test_the_other_signature_takes_lengths(servable, exported, sequences) -> None:
    lengths = np.array([1, 2, 3, 4, 5, 5, 2], "int32")
    answer = ask(exported, "serve_lengths", x=sequences, lengths=lengths)
    expected = servable({"x": sequences, "lengths": lengths})["probabilities"]
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-6)
    alone = ask(exported, x=sequences[2:3, :3])["probabilities"]
    np.testing.assert_allclose(answer["probabilities"][2:3], alone, atol=1e-6)


def test_a_server_reads_the_graph_and_its_signatures(servable, exported, sequences) -> None:
    expected = servable({"x": sequences, "lengths": np.full(7, 5, "int32")})["probabilities"]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(exported))
        signature = meta.signature_def["serving_default"]
        assert set(signature.inputs) == {"x"}
        assert signature.method_name == "tensorflow/serving/predict"
        fetch = {name: info.name for name, info in signature.outputs.items()}
        answer = session.run(fetch, {signature.inputs["x"].name: sequences})
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-6)
    shape = [dim.size for dim in signature.inputs["x"].tensor_shape.dim]
    assert shape == [-1, -1, 3]


def test_too_few_steps_are_refused_in_words(exported, sequences) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 2 are needed"):
        ask(exported, x=sequences[:, :1])


def test_the_folder_can_be_moved(exported, sequences, tmp_path) -> None:
    before = ask(exported, x=sequences)["probabilities"]
    moved = shutil.copytree(exported, tmp_path / "elsewhere")
    np.testing.assert_array_equal(ask(moved, x=sequences)["probabilities"], before)


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [([30, 10, 20], "int64"), ([False, True, True], "bool"), ([0.5, 1.5, 2.5], "float64")],
)
def test_labels_keep_their_type(sequences, tmp_path, labels, dtype) -> None:
    x = keras.Input((None, 3), name="x")
    mean = keras.layers.GlobalAveragePooling1D(name="mean")(x)
    servable = keras.Model({"x": x}, {"probabilities": keras.layers.Softmax(name="out")(mean)})
    export(servable, tmp_path, labels=labels)
    assert set(load(tmp_path).signatures) == {"serving_default"}
    answer = ask(tmp_path, x=sequences)
    assert answer["label"].dtype == dtype
    best = np.argmax(servable({"x": sequences})["probabilities"], -1)
    np.testing.assert_array_equal(answer["label"], np.array(labels)[best])


def test_no_labels_future_inputs_and_silence(tmp_path, capfd) -> None:
    x, future = keras.Input((None, 2), name="x"), keras.Input((3, 1), name="future")
    hidden = keras.layers.RepeatVector(3)(keras.layers.SimpleRNN(4, name="recurrent")(x))
    joined = keras.layers.Concatenate(name="join")([hidden, future])
    forecast = keras.layers.Dense(2, name="out")(joined)
    model = keras.Model({"x": x, "future": future}, {"forecast": forecast})
    capfd.readouterr()
    export(model, tmp_path)
    assert capfd.readouterr() == ("", "")
    given = {"x": np.ones((2, 6, 2), "float32"), "future": np.ones((2, 3, 1), "float32")}
    answer = ask(tmp_path, **given)
    assert answer.keys() == {"forecast"}
    np.testing.assert_allclose(answer["forecast"], model(given)["forecast"], atol=1e-6)


class Step(keras.layers.Layer):
    """Anything that a test wants in the graph."""

    def __init__(self, step) -> None:
        super().__init__()
        self.step = step

    def call(self, x):
        return self.step(x)

    def compute_output_spec(self, x):
        return keras.KerasTensor((None, 2))


def with_step(step) -> keras.Model:
    x = keras.Input((None, 2), name="x")
    return keras.Model({"x": x}, {"scores": Step(step)(x)})


def test_an_operation_outside_the_list_is_refused(tmp_path) -> None:
    def shift(x):
        return x[:, 0] + tf.map_fn(lambda row: row[0] + tf.random.normal((2,)), x)

    with pytest.raises(ArtefactError, match="operation RandomStandardNormal"):
        export(with_step(shift), tmp_path)


def test_a_file_beside_the_graph_is_refused(tmp_path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    initializer = tf.lookup.TextFileInitializer(
        str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, -1
    )
    step = Step(lambda x: x[:, 0] + tf.cast(table.lookup(tf.constant("a")), tf.float32))
    table = step.table = tf.lookup.StaticHashTable(initializer, 0)
    x = keras.Input((None, 2), name="x")
    with pytest.raises(ArtefactError, match=r"InitializeTableFromTextFileV2|words\.txt"):
        export(keras.Model({"x": x}, {"scores": step(x)}), tmp_path / "1")


def test_a_path_of_this_machine_is_refused_but_not_as_data(exported, tmp_path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    here = f"{tmp_path}{os.sep}words".encode()
    graph.node.add(op="Const", name="word").attr["value"].tensor.string_val.append(here)
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    check_graph(tmp_path)
    graph.node.add(op="NoOp", name="other").attr["path"].s = here
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(ArtefactError, match="names a path of this machine"):
        check_graph(tmp_path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b"], "2 labels for 3 classes"),
        ([["a"], ["b"], ["c"]], "one row"),
        ([1, "a", None], "all strings or all numbers"),
    ],
)
def test_labels_that_do_not_fit(make_servable, tmp_path, labels, message) -> None:
    labels = np.array(labels, dtype=object) if None in labels else labels
    with pytest.raises(ArtefactError, match=message):
        export(make_servable(), tmp_path, labels=labels)
    assert list(tmp_path.iterdir()) == []


def test_models_that_are_no_servables(tmp_path) -> None:
    x = keras.Input((None, 2), name="x")
    y = keras.layers.Dense(2, name="out")(x)
    with pytest.raises(ArtefactError, match="outputs are a dict"):
        export(keras.Model({"x": x}, y), tmp_path)
    with pytest.raises(ArtefactError, match="inputs are a dict"):
        export(keras.Model(x, {"scores": y}), tmp_path)
    z = keras.Input((None, 2), name="z")
    elsewhere = keras.Model({"z": z}, {"scores": keras.layers.Dense(2)(z)})
    with pytest.raises(ArtefactError, match="expected an input 'x'"):
        export(elsewhere, tmp_path)
    with pytest.raises(ArtefactError, match="labels need an output"):
        export(keras.Model({"x": x}, {"scores": y}), tmp_path, labels=["a", "b"])


def test_a_class_name_of_any_kind() -> None:
    assert label_array(np.array(["a", "b"], dtype=object)).dtype.kind == "U"
    assert label_array(np.array([1, 2], dtype="int32")).dtype == "int64"
    assert label_array([True, False]).dtype == bool
    with pytest.raises(ArtefactError, match="class names"):
        label_array(np.array([1j]))


def test_cudnn_is_off_for_the_export_alone(tmp_path, monkeypatch) -> None:
    x = keras.Input((None, 2), name="x")
    wrapped = keras.layers.Bidirectional(keras.layers.LSTM(2))
    inner = keras.Sequential([keras.Input((None, 2)), wrapped])
    model = keras.Model({"x": x}, {"scores": inner(x)})
    used = [wrapped.forward_layer, wrapped.backward_layer]
    assert {id(layer) for layer in recurrent(model)} >= {id(layer) for layer in used}
    seen, call = [], keras.layers.LSTM.call

    def watched(self, *args, **kwargs):
        seen.append(self.use_cudnn)
        return call(self, *args, **kwargs)

    monkeypatch.setattr(keras.layers.LSTM, "call", watched)
    export(model, tmp_path)
    assert seen
    assert not any(seen)
    assert {layer.use_cudnn for layer in recurrent(model)} == {"auto"}
    with pytest.raises(RuntimeError), without_cudnn(model):
        raise RuntimeError
    assert {layer.use_cudnn for layer in recurrent(model)} == {"auto"}


def test_the_list_of_operations_is_one_of_real_ones() -> None:
    known = {name for name in dir(tf.raw_ops) if not name.startswith("_")}
    assert known >= SERVABLE
    assert not any("Cudnn" in name or "PyFunc" in name for name in SERVABLE)
    assert not {"ReadFile", "WriteFile", "PrintV2", "RandomUniform"} & SERVABLE
