"""Runs the trainings of a combination in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras

from kseq.comparison.result import Result
from kseq.comparison.training import Job, run
from kseq.comparison.worker import MARK
from kseq.registry import builders


def run_apart(job: Job) -> Iterator[Result]:
    """Runs the trainings of a combination in a process of its own, if one can be had.

    Builders that were registered by a script or in a notebook are nowhere else: their trainings
    run here, and nobody knows their memory.
    """
    module = builders.get(job.recipe.fill().model["builder"]).__module__
    if not _elsewhere(module):
        yield from run(job, alone=False)
        return
    # The data goes along, so nobody there needs the reader.
    job = replace(job, recipe=job.recipe.replace("data", {}))
    ended = set()
    with tempfile.TemporaryDirectory(prefix="kseq-") as folder:
        file, errors = Path(folder, "job.pickle"), Path(folder, "errors")
        settings = {
            "policy": keras.config.dtype_policy().name,
            "floatx": keras.config.floatx(),
        }
        file.write_bytes(pickle.dumps({"job": job, "modules": [module], **settings}))
        with (
            errors.open("wb") as said,
            subprocess.Popen(
                # Not the working folder before all others: a file there may be called copy.py.
                [sys.executable, "-P", "-m", "kseq.comparison.worker", str(file)],
                stdin=subprocess.PIPE,  # says when this process is gone
                stdout=subprocess.PIPE,
                stderr=said,
                env={
                    **os.environ,
                    "KERAS_BACKEND": keras.config.backend(),
                    "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
                },
                encoding="utf-8",
            ) as process,
        ):
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if line.startswith(MARK):
                        result = Result.from_dict(json.loads(line.removeprefix(MARK)))
                        ended.add(result.number)
                        yield result
                process.wait()
            finally:
                process.kill()
        # It was told to stop, and so were we; the second code is that of Windows.
        if process.returncode in (-signal.SIGINT, 0xC000013A):
            raise KeyboardInterrupt
        last = errors.read_text(encoding="utf-8", errors="replace")
    for number, key, seed in job.seeds:
        if number not in ended:
            yield Result(
                number=number,
                key=key,
                changes=job.changes,
                seed=seed,
                status="failed",
                reason=_died(process.returncode, last),
            )


def _elsewhere(module: str) -> bool:
    """Whether another process can import it."""
    try:
        return module != "__main__" and importlib.util.find_spec(module) is not None
    except ValueError:  # made by hand
        return False


def _died(code: int, said: str) -> str:
    """Why a process ended before its time."""
    if code == -9:
        return "the process was killed; the machine may have run out of memory"
    last = [line for line in said.strip().splitlines() if line.strip()]
    return f"the process ended with {code}: {last[-1] if last else 'no message'}"
