"""Saves a fitted model: exported, verified and published in one go."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kseq.errors import ArtefactError
from kseq.serving.artefact import Artefact, write
from kseq.serving.elsewhere import export_elsewhere
from kseq.serving.export import LABEL, WITH_BYTES, WITH_LENGTHS, export, label_array
from kseq.serving.publish import publish
from kseq.serving.recurrent import without_cudnn
from kseq.serving.text_endpoints import DEFAULT, TextEndpoints
from kseq.serving.verify import Case, verify
from kseq.serving.warmup import write_warmup

TOLERANCE = 1e-5


def save(
    base: str | os.PathLike[str],
    artefact: Artefact,
    servable: keras.Model,
    *,
    examples: Sequence[Mapping[str, np.ndarray]] = (),
    labels: Sequence[Any] | np.ndarray | None = None,
    minimum_steps: int = 0,
    pixels: float | None = None,
    text: TextEndpoints | None = None,
    cases: Sequence[Case] = (),
) -> Path:
    """Publishes a model as the next version below `base`.

    It is written beside, run in a process without kseq and Keras, and gets its number only when its
    answers there equal those of `servable` here. On other backends of Keras a process on TensorFlow
    writes it.

    Args:
        base: The folder of the model's versions.
        artefact: What kseq rebuilds the model from.
        servable: The model from raw inputs to finished outputs, see `kseq.serving.export`.
        examples: Inputs to verify and to warm up with, each a dict of arrays, batch first. Where
            `lengths` is given both signatures are tried.
        labels: Class names, see `kseq.serving.export`.
        minimum_steps: The fewest time steps of a request.
        pixels: The largest value of a pixel, see `kseq.serving.export`.
        text: The signatures of a model that takes text.
        cases: For text, the requests to verify and to warm up with, and their answers.

    Returns:
        The folder of the new version.

    Raises:
        ArtefactError: If it cannot be written, or a served answer differs. Nothing is published
            then.
    """
    if text is None:
        cases = _cases(servable, examples, None if labels is None else label_array(labels))
        if pixels is not None:
            cases += [_of_bytes(servable, example, pixels / 255) for example in examples]

    def fill(folder: Path) -> None:
        if keras.config.backend() == "tensorflow":
            export(
                servable,
                folder,
                labels=labels,
                minimum_steps=minimum_steps,
                pixels=pixels,
                text=text,
            )
        else:
            export_elsewhere(artefact, folder)
        warm = write_warmup(folder, [(case.signature, case.inputs) for case in cases])
        write(artefact, folder, notes={"warmup": warm})
        verify(folder, cases, TOLERANCE)

    return publish(base, fill)


def _cases(
    servable: keras.Model,
    examples: Sequence[Mapping[str, np.ndarray]],
    labels: np.ndarray | None,
) -> list[Case]:
    """Every example as a request to each signature that takes it, with this process's answer."""
    if not examples:
        raise ArtefactError("expected at least one example to verify the saved model with")
    cases = []
    for example in examples:
        given = _inputs(servable, example)
        lengths = given.pop("lengths", None)
        full = dict(given)
        if "lengths" in servable.input:
            batch, time = given["x"].shape[:2]
            full["lengths"] = np.full((batch,), time, "int32")
        cases.append(Case(DEFAULT, given, _expected(servable, full, labels)))
        if lengths is not None:
            ragged = {**given, "lengths": lengths}
            cases.append(Case(WITH_LENGTHS, ragged, _expected(servable, ragged, labels)))
    return cases


def _of_bytes(servable: keras.Model, example: Mapping[str, np.ndarray], unit: float) -> Case:
    """An example as a request of bytes, where a byte of 1 stands for `unit`."""
    given = {name: np.rint(array / unit).astype(np.uint8) for name, array in example.items()}
    whole = {name: array.astype(np.float32) * np.float32(unit) for name, array in given.items()}
    expected = {
        name: np.rint(array / np.float32(unit)).astype(np.uint8)
        for name, array in _expected(servable, whole, None).items()
    }
    return Case(WITH_BYTES, given, expected)


def _inputs(servable: keras.Model, example: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    wanted = servable.input
    if example.keys() - wanted.keys() or wanted.keys() - example.keys() - {"lengths"}:
        raise ArtefactError(
            f"an example has the inputs {sorted(example)}, the model takes {sorted(wanted)}"
        )
    return {
        name: np.asarray(
            array, dtype=None if wanted[name].dtype == "string" else wanted[name].dtype
        )
        for name, array in example.items()
    }


def _expected(
    servable: keras.Model, inputs: Mapping[str, np.ndarray], labels: np.ndarray | None
) -> dict[str, np.ndarray]:
    # On the CPU: a GPU multiplies with fewer digits than the tolerance asks for.
    with keras.device("cpu:0"), without_cudnn(servable):
        outputs = servable(dict(inputs), training=False)
    expected = {name: keras.ops.convert_to_numpy(array) for name, array in outputs.items()}
    if labels is not None and (probabilities := expected.get("probabilities")) is not None:
        best = np.sort(probabilities, axis=-1)
        # A tie may fall either way, so no name is expected of it.
        if best.shape[-1] < 2 or (best[..., -1] - best[..., -2] > 2 * TOLERANCE).all():
            expected[LABEL] = labels[probabilities.argmax(axis=-1)]
    return expected
