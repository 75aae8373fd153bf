"""A worker of a search: it runs trials that a chief in another process hands out.

This file imports keras-tuner, the extra `tune`, and is itself imported when a search begins.

On the chief's machine it is `python -m kseq.search.worker`, and the task comes from the chief,
pickled, on standard input; on another machine `kseq tune --role worker` makes it from the recipe.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import keras_tuner

from kseq.errors import KseqError, TrainingError
from kseq.search.experiment import Experiment, name_of_this
from kseq.search.section import direction
from kseq.search.tuner import Retired, SearchTuner

# A chief that does not answer for so long is gone, and a worker that says nothing for so long.
SILENCE = 60.0
_BEAT = 2.0  # seconds between two signs of life
_VARIABLES = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")
GONE = 3  # exit code of a worker whose chief is gone
RETIRED = 4  # of one that has run as many trials as it was to


@dataclass(frozen=True)
class Task:
    """What a worker process is given.

    Args:
        experiment: What the trials have in common.
        address: Host and port of the chief.
        name: Of the worker.
        most: Trials after which it retires: Keras keeps some memory of every model.
        parent: The process that watches over it; the worker does not outlive it.
    """

    experiment: Experiment
    address: tuple[str, int]
    name: str
    most: int | None = None
    parent: int | None = None


def work(task: Task) -> None:
    """Runs trials until the chief has no more.

    Raises:
        TrainingError: If the chief cannot be reached, or its search is another one.
        Retired: After `task.most` trials.
    """
    host, port = task.address
    reach(host, port)
    with asking(host, port, task.name), tempfile.TemporaryDirectory() as folder:
        metric = task.experiment.metric
        stand_in = keras_tuner.Oracle(objective=keras_tuner.Objective(metric, direction(metric)))
        tuner = SearchTuner(task.experiment, stand_in, task.name, Path(folder), most=task.most)
        Heart(tuner, task).start()
        try:
            if tuner.oracle.get_space().values.get("search") != task.experiment.fingerprint:
                raise TrainingError(
                    f"{host}:{port}: the chief there searches another recipe, or other data; give "
                    "both the same recipe and files"
                )
            tuner.search()
        except grpc.RpcError as error:
            raise TrainingError(
                f"{host}:{port}: the chief does not answer ({error.code().name}: {error.details()})"
            ) from None


def reach(host: str, port: int) -> None:
    """Waits until somebody listens there, as long as a chief may take to begin.

    Raises:
        TrainingError: If nobody does.
    """
    end = time.monotonic() + SILENCE
    while True:
        try:
            socket.create_connection((host, port), timeout=2.0).close()
            return
        except OSError as error:
            if time.monotonic() > end:
                raise TrainingError(
                    f"{host}:{port}: no chief listens there ({error.strerror or error}); start it "
                    "with kseq tune --role chief --address HOST:PORT"
                ) from None
            time.sleep(0.5)


@contextmanager
def asking(host: str, port: int, name: str) -> Iterator[None]:
    """Within this context, what is made of keras-tuner asks, or is, the chief at that address."""
    with _environment(host, str(port), name):
        yield


def alone() -> AbstractContextManager[None]:
    """Within this context, what is made of keras-tuner asks nobody."""
    return _environment(None, None, None)


@contextmanager
def _environment(*values: str | None) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _VARIABLES}

    def put(wanted: Mapping[str, str | None]) -> None:
        for name, value in wanted.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    put(dict(zip(_VARIABLES, values, strict=True)))
    try:
        yield
    finally:
        put(before)


class Heart(threading.Thread):
    """Tells the chief that the worker lives, and ends the worker when the chief does not.

    A call to a chief that is gone waits for up to an hour, and cannot be interrupted: so the
    process ends.
    """

    def __init__(self, tuner: SearchTuner, task: Task) -> None:
        super().__init__(daemon=True, name="heart")
        self.tuner = tuner
        self.task = task
        self.answered = time.monotonic()
        threading.Thread(target=self._watch, daemon=True, name="watch").start()

    def run(self) -> None:
        """Speaks with the chief now and then."""
        while True:
            time.sleep(_BEAT)
            try:
                if self.tuner.current:
                    self.tuner.oracle.get_trial(self.tuner.current)
                else:
                    socket.create_connection(self.task.address, timeout=2.0).close()
            except (grpc.RpcError, OSError):
                continue
            self.answered = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(0.5)
            parent = self.task.parent
            orphan = parent is not None and os.name != "nt" and os.getppid() != parent
            if orphan or time.monotonic() - self.answered > SILENCE:
                host, port = self.task.address
                print(f"kseq: the chief at {host}:{port} is gone", file=sys.stderr, flush=True)
                os._exit(GONE)


def main() -> int:
    """The process of a worker on the chief's machine."""
    task = pickle.load(sys.stdin.buffer)
    try:
        work(task)
    except Retired:
        return RETIRED
    except KseqError as error:
        print(f"kseq: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def task_of(experiment: Experiment, address: tuple[str, int]) -> Task:
    """The task of a worker that was started by hand."""
    return Task(experiment, address, f"worker-{name_of_this()}")


if __name__ == "__main__":
    # Threads of the backend and of gRPC must not keep a worker from ending.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
