"""A tiny search, from Python and from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPACE = {
    "model.cell": {"choice": ["gru", "lstm", "slstm"]},
    "model.units": {"length": [1, 2], "choice": [4, 6]},
    "model.peephole": {"choice": ["diagonal", "full"], "when": {"model.cell": "slstm"}},
    "training.learning_rate": {"log": [1e-3, 3e-2]},
}
RECIPE: dict[str, Any] = {
    "name": "waves",
    "task": "classification",
    "seed": 3,
    "data": {"reader": "csv", "layout": "wide", "path": "waves.csv", "target": "label",
             "id": "id", "split": [48, 16, 16]},
    "model": {"builder": "stacked_rnn", "units": 4},
    "training": {"epochs": 2, "batch_size": 8},
    "search": {"strategy": "random", "trials": 5, "space": SPACE},
}  # fmt: skip


def waves(count: int = 80, steps: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Noisy sequences that rise or fall."""
    rng = np.random.default_rng(0)
    y = np.where(np.arange(count) % 2, "up", "down")
    slope = np.where(y == "up", 1.0, -1.0)[:, None]
    return slope * np.linspace(0, 1, steps) + rng.normal(scale=0.8, size=(count, steps)), y


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the data that `RECIPE` reads."""
    X, y = waves()
    lines = ["id," + ",".join(f"t{i}" for i in range(X.shape[1])) + ",label"]
    for i, (row, label) in enumerate(zip(X, y, strict=True)):
        lines.append(",".join([f"s{i}", *(f"{value:.4f}" for value in row), str(label)]))
    (tmp_path / "waves.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def recipe(folder: Path) -> Callable[..., Path]:
    """Writes the recipe with other values of its search section, and gives its path."""

    def write(name: str = "waves.json", **search: Any) -> Path:
        path = folder / name
        path.write_text(json.dumps({**RECIPE, "search": {**RECIPE["search"], **search}}))
        return path

    return write


def command(recipe: Path, *arguments: str, **how: Any) -> subprocess.Popen[str]:
    """`kseq tune` in a process of its own, in the recipe's folder."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **how.pop("environment", {})}
    return subprocess.Popen(
        [sys.executable, "-m", "kseq", "tune", recipe.name, *arguments],
        cwd=recipe.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **how,
    )


def finished(recipe: Path, *arguments: str, **how: Any) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `kseq tune`."""
    process = command(recipe, *arguments, **how)
    out, said = process.communicate(timeout=300)
    return process.returncode, out, said
