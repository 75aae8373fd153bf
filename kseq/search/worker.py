"""A worker of a search: it runs trials that a chief in another process hands out.

This file imports keras-tuner, the extra `tune`, and is itself imported when a search begins.

On the chief's machine it is `python -m kseq.search.worker`, and the chief says what to do; on
another `kseq tune --role worker` finds it out from the recipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import keras_tuner

from kseq.errors import KseqError, TrainingError
from kseq.search.experiment import Experiment, name_of_this
from kseq.search.section import direction
from kseq.search.tuner import OTHER_SEARCH, Retired, SearchTuner

# A chief that does not answer for so long is gone, and a worker that says nothing for so long.
SILENCE = 60.0
_BEAT = 2.0  # seconds between two signs of life
_DIRECT = "no_grpc_proxy"
_VARIABLES = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID", _DIRECT)
RETIRED = 100  # the exit code of one that has run as many trials as it was to


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
    wait_for_chief(host, port)
    with asking(host, port, task.name), tempfile.TemporaryDirectory() as folder:
        metric = task.experiment.metric
        stand_in = keras_tuner.Oracle(objective=keras_tuner.Objective(metric, direction(metric)))
        tuner = SearchTuner(task.experiment, stand_in, task.name, Path(folder), most=task.most)
        with Heart(tuner, task):
            try:
                if tuner.oracle.get_space().values.get("search") != task.experiment.fingerprint:
                    raise keras_tuner.errors.FatalError(OTHER_SEARCH)
                tuner.search()
            except keras_tuner.errors.FatalError as error:
                raise TrainingError(f"{host}:{port}: {error}") from None
            except grpc.RpcError as error:
                raise TrainingError(
                    f"{host}:{port}: the chief does not answer "
                    f"({error.code().name}: {error.details()})"
                ) from None


def wait_for_chief(host: str, port: int) -> None:
    """Waits until somebody listens there, as long as a chief may take to begin.

    Raises:
        TrainingError: If nobody does.
    """
    end = time.monotonic() + SILENCE
    told = False
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
            if not told:
                print(f"kseq: waiting for a chief at {host}:{port}", file=sys.stderr, flush=True)
                told = True
            time.sleep(0.5)


@contextmanager
def asking(host: str, port: int, name: str) -> Iterator[None]:
    """Within this context, what is made of keras-tuner asks, or is, the chief at that address."""
    # gRPC would ask a proxy for the way, to this machine as well.
    direct = [each for each in (os.environ.get(_DIRECT), host) if each]
    with _environment(host, str(port), name, ",".join(direct)):
        yield


def alone() -> AbstractContextManager[None]:
    """Within this context, what is made of keras-tuner asks nobody."""
    return _environment(None, None, None, os.environ.get(_DIRECT))


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


class Heart:
    """Tells the chief that the worker lives, and ends the worker when the chief does not.

    A call to a chief that is gone waits for up to an hour, and cannot be interrupted: so the
    process ends. It beats within `with` alone.
    """

    def __init__(self, tuner: SearchTuner, task: Task) -> None:
        self.tuner = tuner
        self.task = task
        self._answered = time.monotonic()
        self._still = threading.Event()

    def __enter__(self) -> Heart:
        for beat in (self._speak, self._watch):
            threading.Thread(target=beat, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._still.set()

    def _speak(self) -> None:
        while not self._still.wait(_BEAT):
            # A chief that is busy with something else answers late, one that is gone never.
            with contextlib.suppress(grpc.RpcError, ValueError):
                self.tuner.oracle.get_trial(self.tuner.current)
                self._answered = time.monotonic()

    def _watch(self) -> None:
        while not self._still.wait(0.5):
            parent = self.task.parent
            orphan = parent is not None and os.name != "nt" and os.getppid() != parent
            if orphan or time.monotonic() - self._answered > SILENCE:
                host, port = self.task.address
                print(f"kseq: the chief at {host}:{port} is gone", file=sys.stderr, flush=True)
                os._exit(TrainingError.exit_code)


def main(arguments: Sequence[str]) -> int:
    """The process of a worker on the chief's machine.

    Args:
        arguments: The task as JSON, with the file of the experiment in its place.
    """
    given = json.loads(arguments[0])
    # The chief wrote it, and is the same user on the same machine.
    experiment = pickle.loads(Path(given["experiment"]).read_bytes())
    task = Task(**{**given, "experiment": experiment, "address": tuple(given["address"])})
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
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
