"""Exports a model that was trained on another backend of Keras, by a process on TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from kseq.errors import ArtefactError
from kseq.serving.artefact import Artefact, write

# An artefact is recipe and arrays, which are the same on every backend.
_SCRIPT = """
import sys
from kseq.estimators.load import load
load(sys.argv[1])._export(sys.argv[2])
"""


def export_elsewhere(artefact: Artefact, directory: str | os.PathLike[str]) -> None:
    """Rebuilds a model on TensorFlow and writes it as a SavedModel.

    Args:
        artefact: What the model is rebuilt from.
        directory: Where the SavedModel goes, an empty folder.

    Raises:
        ArtefactError: If that process fails; with the last line that it said.
    """
    with tempfile.TemporaryDirectory(prefix="kseq-export-") as folder:
        write(artefact, folder)
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, folder, str(Path(directory).resolve())],
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise ArtefactError(f"the export by a process on TensorFlow failed: {said[-1]}")
