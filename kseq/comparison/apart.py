"""Runs the trainings of a combination in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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
    if module == "__main__" or importlib.util.find_spec(module) is None:
        yield from run(job, alone=False)
        return
    # The data goes along, so nobody there needs the reader.
    job = replace(job, recipe=job.recipe.replace("data", {}))
    ended = set()
    with tempfile.TemporaryDirectory(prefix="kseq-") as folder:
        file, noise = Path(folder, "job.pickle"), Path(folder, "noise")
        file.write_bytes(pickle.dumps({"job": job, "modules": [module]}))
        with (
            noise.open("wb") as said,
            subprocess.Popen(
                [sys.executable, "-m", "kseq.comparison.worker", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([p for p in sys.path if p])},
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
        last = noise.read_text(encoding="utf-8", errors="replace")
    for number, seed in job.seeds:
        if number not in ended:
            yield Result(
                number=number,
                changes=job.changes,
                seed=seed,
                status="lost",
                reason=_died(process.returncode, last),
            )


def _died(code: int, said: str) -> str:
    """Why a process ended before its time."""
    if code == -9:
        return "the process was killed; the machine may have run out of memory"
    last = [line for line in said.strip().splitlines() if line.strip()]
    return f"the process ended with {code}: {last[-1] if last else 'no message'}"
