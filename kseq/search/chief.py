"""The chief of a search: it hands out trials to workers in other processes, and watches over them.

keras-tuner's own chief speaks with the workers; it waits for ever for one that died, and after an
error of its own. So it speaks in a thread, and another one decides when the search is over.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from kseq.errors import KseqError, TrainingError
from kseq.metrics.evaluation import counted
from kseq.search.experiment import Experiment
from kseq.search.oracle import SearchOracle
from kseq.search.tuner import SearchTuner
from kseq.search.worker import RETIRED, SILENCE, asking

_TRIALS_A_WORKER = 50
_UNBORN = 3  # workers that may die one after the other before any has run a trial
_LOOK = 0.05  # seconds between two looks at the workers
_CHATTER = re.compile(r"[IW]\d{4} |WARNING: All log messages")  # of TensorFlow
_LONELY = 3600.0  # seconds without a word from any worker after which a chief gives up
_STOPPING = 10.0  # seconds that a worker may take to end


def serve(
    oracle: SearchOracle, experiment: Experiment, *, workers: int, address: tuple[str, int]
) -> None:
    """Serves trials until the search is over.

    Args:
        oracle: Hands them out.
        experiment: What they have in common; goes to the workers started here.
        workers: How many to start on this machine; more may come from elsewhere.
        address: Where to listen; port 0 is a free one.

    Raises:
        KseqError: What went wrong in the oracle, or with the workers.
    """
    host, port = _free(address)
    server = _Server(oracle, host, port)
    # Somebody on this machine reaches a chief that listens everywhere here.
    near = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    with tempfile.TemporaryDirectory(prefix="kseq-") as folder:
        crew = _Crew(oracle, experiment, (near, port), workers, Path(folder))
        try:
            server.start()
            if address[1]:
                oracle.watch.listening(host, port)
            crew.hire()
            while not oracle.finished:
                server.check()
                crew.check()
                for name in oracle.silent(SILENCE):
                    oracle.lost(name)
                if time.monotonic() - oracle.heard > _LONELY:
                    raise TrainingError(
                        f"{host}:{port}: no worker has asked for {_LONELY / 60:.0f} minutes; the "
                        "same command goes on when there are some"
                    )
                time.sleep(_LOOK)
            crew.leave()
            _wait_for_guests(oracle)
        finally:
            crew.dismiss()
            oracle.close()
            server.stop()


def _free(address: tuple[str, int]) -> tuple[str, int]:
    """The address with a port; the system's choice where it is 0.

    Raises:
        TrainingError: If nobody can listen there.
    """
    host, port = address
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return host, probe.getsockname()[1]
    except OSError as error:
        raise TrainingError(
            f"--address {host}:{port}: cannot listen there: {error.strerror or error}"
        ) from None


def _wait_for_guests(oracle: SearchOracle) -> None:
    """Lets workers from elsewhere hear that there is no more work."""
    end = time.monotonic() + _STOPPING
    while oracle.tuner_ids and time.monotonic() < end:
        time.sleep(_LOOK)


class _Server:
    """keras-tuner's chief in a thread of its own."""

    def __init__(self, oracle: SearchOracle, host: str, port: int) -> None:
        self.oracle = oracle
        self.address = (host, port)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="chief")

    def start(self) -> None:
        """Begins to listen."""
        self._environment = asking(*self.address, "chief")
        self._environment.__enter__()
        self._thread.start()

    def check(self) -> None:
        """Raises what went wrong in the oracle or while listening."""
        error = self.oracle.failure or self._error
        if error is None and not self._thread.is_alive():
            raise TrainingError("the chief stopped listening before the search was over")
        if isinstance(error, KseqError):
            raise error
        if error is not None:
            raise RuntimeError("the search failed") from error

    def stop(self) -> None:
        """Has the thread end: it does when a worker hears that there is no more work."""
        self._environment.__exit__(None, None, None)
        if not self._thread.is_alive():
            return
        farewell = threading.Thread(target=self._ask_for_work, daemon=True)
        farewell.start()
        farewell.join(3.0)
        self._thread.join(3.0)  # if not, both are daemons, and end with the process

    def _ask_for_work(self) -> None:
        host, port = self.address
        with asking(host, port, "farewell"), tempfile.TemporaryDirectory() as folder:
            last = SearchTuner(self.oracle.experiment, self.oracle, "farewell", Path(folder))
            last.oracle.create_trial("farewell")

    def _run(self) -> None:
        try:
            folder = self.oracle.ledger.folder / "keras_tuner"
            SearchTuner(self.oracle.experiment, self.oracle, "chief", folder).search()
        except BaseException as error:
            self._error = error


class _Crew:
    """The workers that were started here."""

    def __init__(
        self,
        oracle: SearchOracle,
        experiment: Experiment,
        address: tuple[str, int],
        count: int,
        folder: Path,
    ) -> None:
        self.oracle = oracle
        self.address = address
        self.count = count
        # In a file, since a pipe waits for a worker that is still loading its libraries.
        self._experiment = folder / "experiment.pickle"
        self._experiment.write_bytes(pickle.dumps(experiment))
        self._hired = 0
        self._unborn = 0  # workers that ended without a trial, since one last ended
        self._ended = 0
        self._there: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}

    def hire(self) -> None:
        """Starts workers, as many as there are to be."""
        while len(self._there) < self.count:
            self._hired += 1
            name = f"worker-{self._hired}"
            log = self.oracle.ledger.folder / f"{name}.log"
            said = log.open("wb")
            task = {
                "experiment": str(self._experiment),
                "address": self.address,
                "name": name,
                "most": _TRIALS_A_WORKER,
                "parent": os.getpid(),
            }
            process = subprocess.Popen(
                [sys.executable, "-m", "kseq.search.worker", json.dumps(task)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=self._environment(),
                start_new_session=True,  # an interruption is for the chief
            )
            self._there[name] = (process, said)

    def check(self) -> None:
        """Looks after workers that ended.

        Raises:
            TrainingError: If workers die without running a trial.
        """
        for name, (process, said) in list(self._there.items()):
            code = process.poll()
            if code is None:
                continue
            del self._there[name]
            said.close()
            number = self.oracle.lost(name)
            ended = len(self.oracle.ledger.outcomes)
            if number is not None or ended > self._ended:
                self._unborn, self._ended = 0, ended
            if code not in (0, RETIRED) and number is None:
                self._unborn += 1
            if self._unborn >= _UNBORN:
                how = f"with code {code}" if code > 0 else f"killed by signal {-code}"
                raise TrainingError(
                    f"{counted(_UNBORN, 'worker')} ended before a trial, the last one {how}: "
                    f"{_last_words(Path(said.name))}"
                )
        self.hire()

    def leave(self) -> None:
        """Waits for the workers to hear that there is no more work."""
        end = time.monotonic() + _STOPPING
        while time.monotonic() < end:
            if all(process.poll() is not None for process, _ in self._there.values()):
                return
            time.sleep(_LOOK)

    def dismiss(self) -> None:
        """Ends the workers that are still there."""
        for process, said in self._there.values():
            process.kill()
            process.wait()
            said.close()
        self._there.clear()
        for log in self.oracle.ledger.folder.glob("worker-*.log"):
            if not _said(log):
                log.unlink()

    def _environment(self) -> dict[str, str]:
        """That of a worker, which has its share of the machine."""
        share = str(max(1, (os.cpu_count() or 1) // self.count))
        known = {name: value for name, value in os.environ.items() if "KERASTUNER" not in name}
        usual = {
            "TF_NUM_INTRAOP_THREADS": share,
            "OMP_NUM_THREADS": share,
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # the first one would take all of a GPU's memory
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        return {**usual, **known}


def _last_words(log: Path) -> str:
    lines = _said(log)
    return lines[-1] if lines else "it said nothing"


def _said(log: Path) -> list[str]:
    text = log.read_text(errors="replace")
    return [line for line in text.splitlines() if line.strip() and not _CHATTER.match(line)]
