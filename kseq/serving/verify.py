"""Checks a SavedModel in a process of its own, without kseq and Keras."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kseq.errors import ArtefactError

_SCRIPT = Path(__file__).with_name("_clean_process.py")
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Case:
    """One request and its right answer.

    Args:
        signature: The signature to call.
        inputs: By name, batch first.
        expected: Outputs to compare, by name. The model may have more.
    """

    signature: str
    inputs: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]


def verify(
    directory: str | os.PathLike[str],
    cases: Sequence[Case],
    tolerance: float = 1e-5,
    *,
    timeout: float = 600.0,
) -> float:
    """Loads a SavedModel as a server would and compares its answers.

    Args:
        directory: The version folder.
        cases: What to ask, and what to expect.
        tolerance: The largest difference allowed, as a part of the largest expected value where
            that is above one. Strings, integers and booleans must be equal.
        timeout: Seconds.

    Returns:
        The largest difference found.

    Raises:
        ArtefactError: If it cannot be loaded, or answers otherwise; the message names the output.
    """
    with tempfile.TemporaryDirectory(prefix="kseq-verify-") as folder:
        place = Path(folder)
        _hand_over(cases, tolerance, place)
        # -P: the script's own folder is not searched for modules.
        command = [sys.executable, "-P", str(_SCRIPT), str(Path(directory).resolve()), folder]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            message = f"{directory}: the check in a clean process took over {timeout:g} seconds"
            raise ArtefactError(message) from late
        result_file = place / "result.json"
        if done.returncode != 0 or not result_file.is_file():
            reason = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
            raise ArtefactError(
                f"{directory} cannot be run without kseq and keras (exit code {done.returncode}): "
                f"{reason[-1]}"
            )
        result = json.loads(result_file.read_text("utf-8"))
    if result["problems"]:
        count = len(result["problems"])
        shown = "\n".join(f"  {problem}" for problem in result["problems"][:_SHOWN])
        raise ArtefactError(
            f"{directory} answers otherwise than the model it was made from "
            f"({count} differences):\n{shown}\n"
            f"  largest difference: {result['difference']:.3g}, {result['where'] or 'none'}"
        )
    return float(result["difference"])


def _hand_over(cases: Sequence[Case], tolerance: float, place: Path) -> None:
    arrays: dict[str, np.ndarray] = {}

    def keep(given: Mapping[str, np.ndarray]) -> dict[str, str]:
        keys = {}
        for name, array in given.items():
            keys[name] = f"a{len(arrays)}"
            # Strings as fixed-width text: an array of objects would need a pickle.
            arrays[keys[name]] = array.astype(str) if array.dtype == object else array
        return keys

    described = [
        {"signature": c.signature, "inputs": keep(c.inputs), "expected": keep(c.expected)}
        for c in cases
    ]
    content = json.dumps({"tolerance": tolerance, "cases": described})
    (place / "cases.json").write_text(content, "utf-8")
    np.savez(place / "arrays.npz", allow_pickle=False, **arrays)


def _environment() -> dict[str, str]:
    # Warnings that the parent turns into errors are TensorFlow's own matter there.
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONWARNINGS", "KERAS_BACKEND")}
    return {**kept, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
