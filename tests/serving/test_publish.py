"""Whole or not at all, one number for each, also when writers are killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kseq.errors import ArtefactError
from kseq.serving.lock import Lock
from kseq.serving.publish import publish

DRIVER = """
import os, random, signal, sys, time
from pathlib import Path
from kseq.serving.publish import publish

base, mode = Path(sys.argv[1]), sys.argv[2]
SIZE = 20_000

def write(folder):
    (folder / "variables").mkdir()
    for n in range(4):
        with (folder / "variables" / str(n)).open("wb") as file:
            for _ in range(10):
                file.write(b"x" * (SIZE // 10))
                file.flush()

def incomplete():
    for version in base.iterdir():
        if version.name.isdecimal():
            sizes = [p.stat().st_size for p in sorted((version / "variables").iterdir())]
            if sizes != [SIZE] * 4:
                return version, sizes

def child(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)  # whatever becomes of the parent
        try:
            work()
        finally:
            os._exit(1)
    return pid

base.mkdir()
if mode == "kill":
    def forever():
        while True:
            publish(base, write)
    draw = random.Random(5)
    for _ in range(20):
        pid = child(forever)
        end = time.monotonic() + draw.uniform(0.005, 0.12)
        try:
            while time.monotonic() < end:
                assert not incomplete(), incomplete()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert not incomplete(), incomplete()
    publish(base, write)
    assert not list(base.glob(".new-*"))
else:
    def some():
        for _ in range(10):
            publish(base, write)
        os._exit(0)
    for pid in [child(some) for _ in range(4)]:
        assert os.waitpid(pid, 0)[1] == 0
    assert not incomplete()
    assert sorted(int(p.name) for p in base.iterdir() if p.name.isdecimal()) == list(range(1, 41))
"""


def fill(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"graph")


def names(base: Path) -> set[str]:
    return {path.name for path in base.iterdir()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its writers")
@pytest.mark.parametrize("mode", ["kill", "together"])
def test_under_fire(tmp_path: Path, mode: str) -> None:
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "model"), mode]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_numbers_count_up(tmp_path: Path) -> None:
    base = tmp_path / "saved_models" / "ner"
    assert [publish(base, fill).name for _ in range(3)] == ["1", "2", "3"]
    assert names(base) == {".lock", "1", "2", "3"}
    assert (base / "3" / "saved_model.pb").read_bytes() == b"graph"


def test_a_number_is_never_used_again(tmp_path: Path) -> None:
    publish(tmp_path, fill)
    shutil.rmtree(publish(tmp_path, fill))
    assert publish(tmp_path, fill).name == "3"


def test_all_that_a_server_reads_as_a_number_counts(tmp_path: Path) -> None:
    (tmp_path / "007").mkdir()
    (tmp_path / "12").write_text("a file")
    (tmp_path / "99x").mkdir()
    (tmp_path / str(10**25)).mkdir()
    assert publish(tmp_path, fill).name == "13"


def test_the_last_number(tmp_path: Path) -> None:
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(ArtefactError, match="no number left"):
        publish(tmp_path, fill)


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_a_failed_writer_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise error

    with pytest.raises(type(error)):
        publish(tmp_path, fail)
    assert names(tmp_path) == {".lock"}
    assert publish(tmp_path, fill).name == "1"


def test_a_full_disk(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        with open("/dev/full", "wb") as file:
            file.write(b"x" * 100_000)

    with pytest.raises(ArtefactError, match=r"cannot be written.*No space"):
        publish(tmp_path, full)
    assert names(tmp_path) == {".lock"}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write to")
def test_an_unwritable_folder() -> None:
    with pytest.raises(ArtefactError, match="cannot be written"):
        publish("/proc/self/models", fill)


@pytest.mark.parametrize("below", ["", "further/down"])
def test_a_file_in_place_of_the_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "model").write_text("")
    with pytest.raises(ArtefactError, match=r"is a file|cannot be written"):
        publish(tmp_path / "model" / below, fill)


def test_a_version_in_place_of_the_folder(tmp_path: Path) -> None:
    version = publish(tmp_path, fill)
    with pytest.raises(ArtefactError, match="is one version"):
        publish(version, fill)


def test_what_the_living_write_stays(tmp_path: Path) -> None:
    (tmp_path / ".new-dead").mkdir()
    (tmp_path / ".new-dead.lock").touch()
    (tmp_path / ".new-older").mkdir()

    def meanwhile(folder: Path) -> None:
        publish(tmp_path, fill)
        fill(folder)

    assert publish(tmp_path, meanwhile).name == "2"
    assert names(tmp_path) == {".lock", "1", "2"}


def test_a_damaged_lock_file_is_mended(tmp_path: Path) -> None:
    publish(tmp_path, fill)
    (tmp_path / ".lock").write_bytes(b"\0\0rubbish")
    assert publish(tmp_path, fill).name == "2"
    shutil.rmtree(tmp_path / "2")
    assert publish(tmp_path, fill).name == "3"


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    with Lock(tmp_path / "lock"), pytest.raises(OSError), Lock(tmp_path / "lock", wait=False):
        pass
    with Lock(tmp_path / "lock", wait=False) as lock:
        assert lock.stored() == 0
