"""What all tests share: seeds, and the way to the real data sets."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Tiny models gain nothing from threads, and two test processes share two cores.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Every test starts from the same NumPy state; kseq itself takes `random_state`."""
    np.random.seed(7)


@pytest.fixture(scope="session")
def data_home() -> Path:
    """The folder of real data sets; absent is a skip with a reason, but a failure in CI."""
    home = Path(os.environ.get("KSEQ_DATA_HOME", SHARED))
    if not (home / "etth1").is_dir():
        message = f"no data sets in {home}: set KSEQ_DATA_HOME, fill it with `kseq data get`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    os.environ["KSEQ_DATA_HOME"] = str(home)
    return home
