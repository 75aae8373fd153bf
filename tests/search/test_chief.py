"""A chief and its workers: the same trials, nobody waited for, errors that end everything."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import kseq
from kseq.errors import TrainingError
from kseq.search.chief import serve
from kseq.search.ledger import Ledger
from kseq.search.oracle import SearchOracle
from kseq.search.tuning import prepare
from tests.search.conftest import command, finished, waves

pytestmark = pytest.mark.slow


def outcomes(folder: Path) -> list[dict]:
    found = []
    for path in sorted(folder.glob("trial_*/outcome.json")):
        content = json.loads(path.read_text())["content"]
        found.append({name: content[name] for name in ("number", "changes", "score")})
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def workers_there() -> list[str]:
    said = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=False)
    return [line for line in said.stdout.splitlines() if "kseq.search.worker" in line]


def test_two_workers_find_what_one_process_finds(recipe, folder):
    path = recipe(trials=6, strategy="bayesian")
    for name, more in (("alone", []), ("two", ["--workers", "2"]), ("one", ["--workers", "1"])):
        code, out, said = finished(path, "--no-train", "--quiet", "--folder", name, *more)
        assert code == 0, said
        assert "best of 6 trials" in out
        assert said == ""
    assert outcomes(folder / "alone") == outcomes(folder / "two") == outcomes(folder / "one")
    assert not workers_there()


def test_roles_meet_at_an_address(recipe, folder):
    path, other = recipe(trials=4), recipe("other.json", seeds=2)
    address = f"127.0.0.1:{free_port()}"
    chief = command(path, "--role", "chief", "--address", address, "--no-train")
    worker = command(path, "--role", "worker", "--address", address)
    code, _, said = finished(other, "--role", "worker", "--address", address)
    assert code == 5
    assert "the chief there searches another recipe, or other data" in said
    out, wrong = chief.communicate(timeout=120)
    assert chief.returncode == 0, wrong
    assert f"waiting for workers at {address}" in wrong
    assert "best of 4 trials" in out
    _, wrong = worker.communicate(timeout=60)
    assert worker.returncode == 0, wrong


def test_a_port_in_use_is_said(recipe):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, _, said = finished(recipe(), "--role", "chief", "--address", address, "--quiet")
    assert code == 5
    assert f"--address {address}: cannot listen there" in said


def test_a_worker_without_a_chief_says_so(recipe, monkeypatch):
    import kseq.search.worker as module

    monkeypatch.setattr(module, "SILENCE", 0.5)
    with pytest.raises(TrainingError, match="no chief listens there"):
        module.wait_for_chief("127.0.0.1", free_port())


def test_a_worker_whose_chief_is_killed_ends(recipe, folder):
    path = recipe(trials=50)
    chief = command(path, "--no-train", "--workers", "2", "--quiet")
    end = time.monotonic() + 60
    while not list(folder.glob("searches/waves/trial_*/outcome.json")) and time.monotonic() < end:
        time.sleep(0.05)
    assert workers_there()
    chief.kill()
    chief.communicate()
    end = time.monotonic() + 10
    while workers_there() and time.monotonic() < end:
        time.sleep(0.1)
    assert not workers_there()


@pytest.mark.skipif(os.name == "nt", reason="SIGINT")
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["alone", "workers"])
def test_an_interruption_keeps_what_ended_and_says_how_to_go_on(recipe, folder, workers):
    path = recipe(trials=40)
    process = command(path, "--no-train", "--quiet", *workers)
    end = time.monotonic() + 60
    while not list(folder.glob("searches/waves/trial_*/outcome.json")) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert said == (
        "kseq: interrupted; the trials that ended are kept in searches/waves, and the same command "
        "goes on\n"
    )
    assert not workers_there()
    assert not list(folder.glob("searches/waves/trial_*/started.json")) or all(
        (started.parent / "outcome.json").exists()
        for started in folder.glob("searches/waves/trial_*/started.json")
    )


def small(trials):
    """A search of a tiny classifier."""
    X, y = waves()
    space = {"model.units": {"int": [3, 9]}}
    estimator = kseq.SequenceClassifier(training={"epochs": 1}, random_state=0)
    search = {"space": space, "strategy": "random", "trials": trials}
    return prepare(estimator, X, y, search=search)


class Silent:
    def listening(self, host, port):
        pass

    def begun(self, number, changes, worker):
        pass

    def ended(self, outcome, now):
        pass


def test_an_error_in_the_oracle_ends_everything_with_its_message(tmp_path):
    experiment = small(trials=6)
    with Ledger(tmp_path / "s", experiment.identity()) as ledger:
        oracle = SearchOracle(experiment, ledger, Silent())

        def full(outcome):
            raise kseq.ArtefactError("the disk is full")

        ledger.keep = full
        began = time.monotonic()
        with pytest.raises(kseq.ArtefactError, match="the disk is full"):
            serve(oracle, experiment, workers=1, address=("127.0.0.1", 0))
        assert time.monotonic() - began < 60
    assert not workers_there()


def test_workers_that_cannot_begin_are_not_started_for_ever(tmp_path, monkeypatch):
    import kseq.search.chief as module

    experiment = small(trials=6)
    with Ledger(tmp_path / "s", experiment.identity()) as ledger:
        oracle = SearchOracle(experiment, ledger, Silent())
        monkeypatch.setattr(module.sys, "executable", "/bin/false")
        with pytest.raises(TrainingError, match="3 workers ended before a trial, the last one"):
            serve(oracle, experiment, workers=1, address=("127.0.0.1", 0))


def test_a_silent_worker_loses_its_trial(tmp_path):
    experiment = small(trials=3)
    with Ledger(tmp_path / "s", experiment.identity()) as ledger:
        oracle = SearchOracle(experiment, ledger, Silent())
        first = oracle.create_trial("a")
        assert oracle.silent(60) == []
        time.sleep(0.05)
        assert oracle.silent(0.01) == ["a"]
        assert oracle.lost("a") == 0
        again = oracle.create_trial("b")
        assert again.trial_id == first.trial_id == "0"
        assert oracle.create_trial("b") is again  # an answer that was lost on its way
        assert oracle.get_trial("0").status == "RUNNING"
        assert oracle.get_trial("7").status == "STOPPED"


def test_a_late_outcome_counts_once(tmp_path):
    experiment = small(trials=2)
    with Ledger(tmp_path / "s", experiment.identity()) as ledger:
        oracle = SearchOracle(experiment, ledger, Silent())
        trial = oracle.create_trial("slow")
        oracle.lost("slow")
        outcome = {"number": 0, "changes": {}, "status": "done", "score": 0.25}
        trial.hyperparameters.values["outcome"] = json.dumps(outcome)
        trial.hyperparameters.values["search"] = "another"
        oracle.end_trial(trial)  # of a chief that was at this address before
        assert not ledger.outcomes
        trial.hyperparameters.values["search"] = experiment.fingerprint
        oracle.end_trial(trial)  # before anybody took it over
        assert ledger.outcomes[0].score == 0.25
        assert oracle.create_trial("quick").trial_id == "1"
        outcome["score"] = 0.75
        trial.hyperparameters.values["outcome"] = json.dumps(outcome)
        oracle.end_trial(trial)
        assert ledger.outcomes[0].score == 0.25
