"""Kill -9 of a search's processes at random moments: nothing that ended is lost or repeated."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from kseq.search.ledger import MOST_DEATHS
from tests.search.conftest import command, finished

pytestmark = pytest.mark.timeout(1800)  # libraries are loaded some thirty times

KILLS = 10
TRIALS = 18


def outcomes(folder: Path) -> dict[str, tuple[int, dict]]:
    """When each outcome was written, and what it says apart from times and workers."""
    found = {}
    for path in sorted(folder.glob("trial_*/outcome.json")):
        content = json.loads(path.read_text())["content"]
        for name in ("seconds", "elapsed", "worker", "twin"):
            content.pop(name)
        found[path.parent.name] = (path.stat().st_mtime_ns, content)
    return found


def workers_of(pid: int) -> list[int]:
    said = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return [int(line.split()[0]) for line in said.splitlines() if "kseq.search.worker" in line]


def near_given_up(folder: Path) -> bool:
    """Whether one more kill could have a trial given up, as a slow one is on a busy machine."""
    return any(
        json.loads(path.read_text())["times"] >= MOST_DEATHS - 1
        for path in folder.glob("trial_*/started.json")
        if not path.with_name("outcome.json").exists()
    )


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)


@pytest.fixture
def undisturbed(recipe, folder):
    """The search, and what it finds when nobody kills it."""

    def run(*arguments):
        path = recipe(trials=TRIALS, strategy="bayesian")
        code, _, said = finished(path, "--no-train", "--quiet", "--folder", "whole", *arguments)
        assert code == 0, said
        return path, outcomes(folder / "whole"), (folder / "whole" / "best.yaml").read_text()

    return run


def check(folder, seen, whole, best):
    now = outcomes(folder / "killed")
    for name, outcome in seen.items():  # neither lost nor run again
        assert now[name] == outcome, name
    assert {name: said for name, (_, said) in now.items()} == {
        name: said for name, (_, said) in whole.items()
    }
    assert (folder / "killed" / "best.yaml").read_text() == best


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["alone", "chief"])
def test_the_process_is_killed_at_ten_random_moments(undisturbed, folder, workers):
    path, whole, best = undisturbed(*workers)
    arguments = ["--no-train", "--quiet", "--folder", "killed", *workers]
    draw = random.Random(1)
    seen: dict[str, tuple[int, dict]] = {}
    for _ in range(KILLS):
        process = command(path, *arguments)
        before = len(outcomes(folder / "killed"))
        if draw.random() < 0.8:  # else perhaps before there is anything to kill
            wait_for(lambda b=before: len(outcomes(folder / "killed")) > b)
        time.sleep(draw.uniform(0.0, 0.7))
        wait_for(lambda: not near_given_up(folder / "killed"))
        process.kill()
        process.wait()
        process.communicate()
        seen |= outcomes(folder / "killed")
    assert 3 < len(seen) < TRIALS
    code, _, said = finished(path, *arguments)
    assert code == 0, said
    check(folder, seen, whole, best)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_workers_are_killed_at_ten_random_moments(undisturbed, folder):
    path, whole, best = undisturbed("--workers", "2")
    process = command(path, "--no-train", "--quiet", "--folder", "killed", "--workers", "2")
    draw = random.Random(2)
    seen: dict[str, tuple[int, dict]] = {}
    for _ in range(KILLS):
        before = len(outcomes(folder / "killed"))
        wait_for(lambda b=before: len(outcomes(folder / "killed")) > b)
        time.sleep(draw.uniform(0.0, 0.7))
        wait_for(lambda: not near_given_up(folder / "killed"))
        there = workers_of(process.pid)
        if there:
            os.kill(draw.choice(there), signal.SIGKILL)
        seen |= outcomes(folder / "killed")
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said + out
    check(folder, seen, whole, best)
    assert re.search(r"best of 18 trials", out)
