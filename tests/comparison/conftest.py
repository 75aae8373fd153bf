"""Tiny sequences that rise or fall, and trainings that run in this process."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.comparison import comparing
from kseq.comparison.training import run


@pytest.fixture
def here(monkeypatch):
    """Trainings run in this process, where they need no new TensorFlow."""
    monkeypatch.setattr(comparing, "run_apart", lambda job: run(job, alone=False))


@pytest.fixture
def waves():
    """X and y: 40 noisy sequences."""
    rng = np.random.default_rng(0)
    y = np.where(np.arange(40) % 2, "up", "down")
    slope = np.where(y == "up", 1.0, -1.0)[:, None]
    return slope * np.linspace(0, 1, 8) + rng.normal(scale=0.8, size=(40, 8)), y
