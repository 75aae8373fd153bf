"""Writes a model as a SavedModel that TF Serving loads as it is.

This file imports TensorFlow by name: a SavedModel is a TensorFlow graph.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

from kseq.errors import ArtefactError
from kseq.serving.operations import SERVABLE
from kseq.serving.recurrent import without_cudnn
from kseq.serving.text_endpoints import DEFAULT, TextEndpoints

WITH_LENGTHS = "serve_lengths"
WITH_BYTES = "serve_uint8"
LABEL = "label"
_PROBABILITIES = "probabilities"
_TIMED = "x"
_LENGTHS = "lengths"

Tensors = dict[str, Any]


def export(
    servable: keras.Model,
    directory: str | os.PathLike[str],
    *,
    labels: Sequence[Any] | np.ndarray | None = None,
    minimum_steps: int = 0,
    pixels: float | None = None,
    text: TextEndpoints | None = None,
) -> None:
    """Writes `saved_model.pb` and `variables/` into a folder, and checks that a server can run it.

    The signature `serving_default` takes every input but `lengths`. Where the model has that input,
    every row counts as full there, and the signature `serve_lengths` takes `lengths` too.

    Args:
        servable: A functional model from a dict of raw inputs, `x` `(batch, time, features)` among
            them, to a dict of batch-first outputs.
        directory: The version folder.
        labels: Class names in the order of the last axis of the output `probabilities`. With them
            both signatures return `label`, the name of the most probable class.
        minimum_steps: Refuse requests with fewer time steps, with a message that says so.
        pixels: The largest value of a pixel, for a model from frames to frames: the signature
            `serve_uint8` takes and gives bytes.
        text: The signatures of a model that takes the ids of text, in place of those above.

    Raises:
        ArtefactError: If the model has no such inputs and outputs, or its graph would not run on
            another machine: see `check_graph`.

    Example:
        >>> x = keras.Input((None, 2), name="x")
        >>> scores = keras.layers.GRU(3, activation="softmax", name="gru")(x)
        >>> model = keras.Model({"x": x}, {"probabilities": scores})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     export(model, folder, labels=["a", "b", "c"])
        ...     loaded = tf.saved_model.load(folder)
        ...     answer = loaded.signatures["serving_default"](x=tf.zeros((1, 4, 2)))
        >>> sorted(answer)
        ['label', 'probabilities']
    """
    archive = keras.export.ExportArchive()
    archive.track(servable)
    if text is not None:
        _check_model(servable)
        archive.track(text.graph)
        signatures = text.signatures(servable)
    else:
        names = None if labels is None else label_array(labels)
        _check(servable, names)
        signatures = _signatures(servable, _answer(servable, names, minimum_steps), pixels)
    try:
        with without_cudnn(servable):
            endpoints: dict[int, Any] = {}  # two names of one function share its graph
            for name, (inputs, answer) in signatures.items():
                if id(answer) not in endpoints:
                    endpoint = tf.function(answer, input_signature=[inputs], autograph=False)
                    endpoint.get_concrete_function()
                    endpoints[id(answer)] = endpoint
                archive.add_endpoint(name, endpoints[id(answer)])
            archive.write_out(os.fspath(directory), verbose=False)
    except tf.errors.OpError as broken:
        raise ArtefactError(f"the SavedModel cannot be written: {broken.message}") from broken
    check_graph(directory)


def _signatures(
    servable: keras.Model, answer: Callable[[Tensors], Tensors], pixels: float | None
) -> dict[str, Any]:
    inputs = {
        name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=name)
        for name, tensor in servable.input.items()
    }
    without_lengths = {name: spec for name, spec in inputs.items() if name != _LENGTHS}
    signatures = {DEFAULT: (without_lengths, answer)}
    if _LENGTHS in inputs:
        signatures[WITH_LENGTHS] = (inputs, lambda given: answer(given))
    if pixels is not None:
        of_bytes = {n: tf.TensorSpec(i.shape, tf.uint8, name=n) for n, i in inputs.items()}
        signatures[WITH_BYTES] = (of_bytes, lambda given: _as_bytes(answer, given, pixels / 255))
    return signatures


def _as_bytes(answer: Callable[[Tensors], Tensors], given: Tensors, unit: float) -> Tensors:
    """Asks for bytes and gives bytes, where a byte of 1 stands for `unit`."""
    outputs = answer({name: tf.cast(x, tf.float32) * unit for name, x in given.items()})
    return {
        name: tf.cast(tf.round(tf.clip_by_value(y / unit, 0, 255)), tf.uint8)
        for name, y in outputs.items()
    }


def label_array(labels: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Class names as an array of strings, int64, float64 or bool.

    Raises:
        ArtefactError: If they are none of these, or mixed.

    Example:
        >>> label_array([3, 5])
        array([3, 5])
    """
    array = np.asarray(labels)
    if array.dtype == object and all(isinstance(label, str) for label in array.flat):
        array = array.astype(str)
    if array.ndim != 1 or array.dtype.kind not in "Uiufb":
        raise ArtefactError(
            f"expected class names in one row, all strings or all numbers, got {array.dtype} of "
            f"shape {array.shape}"
        )
    targets = {"i": np.int64, "u": np.int64, "f": np.float64}
    return array.astype(targets.get(array.dtype.kind, array.dtype), copy=False)


def _check_model(servable: keras.Model) -> None:
    if keras.backend.backend() != "tensorflow":
        raise ArtefactError(
            f"a SavedModel is written with the TensorFlow backend of Keras, not with "
            f"'{keras.backend.backend()}': set KERAS_BACKEND=tensorflow"
        )
    for what, found in (("inputs", servable.input), ("outputs", servable.output)):
        if not isinstance(found, dict):
            raise ArtefactError(f"expected a model whose {what} are a dict of names and tensors")


def _check(servable: keras.Model, labels: np.ndarray | None) -> None:
    _check_model(servable)
    if _TIMED not in servable.input:
        raise ArtefactError(f"expected an input '{_TIMED}', got {sorted(servable.input)}")
    if labels is None:
        return
    if _PROBABILITIES not in servable.output or LABEL in servable.output:
        raise ArtefactError(
            f"labels need an output '{_PROBABILITIES}' and make the output '{LABEL}'; the model "
            f"has {sorted(servable.output)}"
        )
    classes = servable.output[_PROBABILITIES].shape[-1]
    if classes != len(labels):
        raise ArtefactError(f"{len(labels)} labels for {classes} classes")


def _answer(
    servable: keras.Model, labels: np.ndarray | None, minimum_steps: int
) -> Callable[[Tensors], Tensors]:
    """The function that a signature is traced from."""

    def answer(inputs: Tensors) -> Tensors:
        given = dict(inputs)
        batch, time = tf.unstack(tf.shape(given[_TIMED])[:2])
        if minimum_steps > 0:
            tf.raw_ops.Assert(
                condition=time >= minimum_steps,
                data=[
                    f"'x' has too few time steps, at least {minimum_steps} are needed; got",
                    time,
                ],
            )
        if _LENGTHS in servable.input and _LENGTHS not in given:
            given[_LENGTHS] = tf.fill([batch], tf.cast(time, servable.input[_LENGTHS].dtype))
        outputs = dict(servable(given, training=False))
        if labels is not None:
            best = tf.argmax(outputs[_PROBABILITIES], axis=-1)
            outputs[LABEL] = tf.gather(tf.constant(labels), best)
        return outputs

    return answer


def check_graph(directory: str | os.PathLike[str]) -> None:
    """Refuses a SavedModel that would not run elsewhere.

    Args:
        directory: The version folder.

    Raises:
        ArtefactError: If there is an operation outside the list of `kseq.serving.operations`,
            an asset file, or a path of this machine.
    """
    path = Path(directory) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(path.read_bytes())
    for meta in saved.meta_graphs:
        library = meta.graph_def.library.function
        known = SERVABLE | {function.signature.name for function in library}
        nodes = [*meta.graph_def.node, *(node for f in library for node in f.node_def)]
        for operation in sorted({node.op for node in nodes} - known):
            culprit = next(node.name for node in nodes if node.op == operation)
            raise ArtefactError(
                f"the graph holds the operation {operation} (at '{culprit}'), which TF Serving on "
                "a CPU is not known to run; use another layer"
            )
        if meta.asset_file_def:
            names = [asset.filename for asset in meta.asset_file_def]
            raise ArtefactError(f"the graph needs the files {names}; expected constants instead")
        _drop_constants(meta.graph_def)
        written = meta.SerializeToString()
        for place in _places(path.parent):
            if place.encode() in written:
                raise ArtefactError(f"the graph names a path of this machine: {place}")


def _drop_constants(graph: graph_pb2.GraphDef) -> None:
    """Empties what is data: a class name or a word may look like a path."""
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        for node in nodes:
            if node.op == "Const":
                node.attr["value"].Clear()


def _places(folder: Path) -> set[str]:
    here = {folder.resolve(), Path.cwd(), Path.home(), Path(tempfile.gettempdir())}
    here |= {Path(sys.prefix), Path(keras.__file__).parent, Path(__file__).parent}
    # With the separator: "/root" is also the start of many a node's name.
    return {f"{place}{os.sep}" for place in here if len(place.parts) > 1}
