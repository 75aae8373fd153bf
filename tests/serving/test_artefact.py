"""What is written is read back; what was touched is refused, and nothing of it runs."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kseq.errors import ArtefactError
from kseq.serving.artefact import Artefact, check, locate, read, write
from kseq.serving.manifest import JSON_LIMIT, MANIFEST_LIMIT, digest, dump_json

HOME = "assets.extra/kseq"
KSEQ_FILES = [
    f"{HOME}/{name}"
    for name in ("recipe.json", "preprocessing.json", "weights.safetensors", "report/metrics.json")
]
RECIPE = {
    "name": "春",
    "task": {"kind": "tagging"},
    "training": {"learning_rate": 1e-3, "seed": None},
}
ARRAYS = {
    "0000 a/kernel": np.arange(6, dtype="float32").reshape(2, 3),
    "0001 a/count": np.array(7, dtype="int64"),
    "0002 a/turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A whole version folder; the SavedModel in it is a stand-in."""
    report = tmp_path / "report"
    (report / "pictures").mkdir(parents=True)
    (report / "metrics.json").write_text("{}")
    (report / "pictures" / "loss.png").write_bytes(b"png")
    folder = tmp_path / "ner" / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    write(
        Artefact(RECIPE, {"classes": ["a", "b"]}, ARRAYS, report), folder, notes={"warmup": False}
    )
    return folder


def rewrite(folder: Path, change: Callable[[dict], object]) -> None:
    """Changes the manifest as a forger would."""
    path = folder / HOME / "manifest.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def forge(folder: Path, name: str, data: bytes) -> None:
    """Replaces a file and its entry in the manifest."""
    (folder / name).write_bytes(data)
    entry = digest(folder / name)
    rewrite(
        folder, lambda m: m["files"].update({name: {"sha256": entry.sha256, "size": entry.size}})
    )


def refused(folder: Path, message: str, reader: Callable[[Path], object] = read) -> None:
    """Reading fails with a message that matches, and imports nothing."""
    before = set(sys.modules)
    with pytest.raises(ArtefactError, match=message):
        reader(folder)
    assert set(sys.modules) == before


def test_reads_back_what_was_written(version: Path) -> None:
    artefact = read(version)
    assert artefact.recipe == RECIPE
    assert artefact.preprocessing == {"classes": ["a", "b"]}
    assert artefact.report == version / HOME / "report"
    assert artefact.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert artefact.arrays[name].dtype == array.dtype
        assert artefact.arrays[name].shape == array.shape
        np.testing.assert_array_equal(artefact.arrays[name], array)


def test_without_a_report(tmp_path: Path) -> None:
    write(Artefact({}, {}, {}), tmp_path)
    assert read(tmp_path).report is None
    assert read(tmp_path).arrays == {}


def test_the_manifest_lists_every_file(version: Path) -> None:
    manifest = check(version)
    listed = {path.relative_to(version).as_posix() for path in version.rglob("*") if path.is_file()}
    assert set(manifest.files) == listed - {f"{HOME}/manifest.json"}
    assert manifest.notes == {"warmup": False}
    assert set(manifest.libraries) == {"kseq", "keras", "tensorflow", "numpy", "python"}
    assert manifest.libraries["numpy"] == np.__version__


def test_writing_twice_gives_the_same_bytes(version: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write(read(version), again)
    for name in KSEQ_FILES:
        assert (again / name).read_bytes() == (version / name).read_bytes()


def test_the_newest_version_is_the_highest_number(version: Path) -> None:
    base = version.parent
    for name in ("2", "10", "9"):
        write(Artefact({"name": name}, {}, {}), base / name)
    (base / ".new-abc").mkdir()
    (base / "99.old").mkdir()
    (base / "11").write_text("a file")
    assert read(base).recipe == {"name": "10"}
    assert read(str(base / "2")).recipe == {"name": "2"}


def test_a_moved_folder_is_read(version: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "model"
    shutil.copytree(version, moved)
    shutil.rmtree(version)
    assert check(moved).files
    assert read(moved).recipe == RECIPE


def test_the_kseq_folder_alone_is_enough_to_read(version: Path) -> None:
    (version / "saved_model.pb").unlink()
    assert read(version).recipe == RECIPE
    refused(version, "saved_model.pb is missing", check)


def test_reading_loads_no_backend(version: Path) -> None:
    code = (
        "import sys, kseq.serving; kseq.serving.read(sys.argv[1]);"
        "print([m for m in ('keras', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, version], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("name", KSEQ_FILES)
def test_an_altered_file_is_refused(version: Path, name: str) -> None:
    read(version)
    data = bytearray((version / name).read_bytes())
    data[-1] ^= 1
    (version / name).write_bytes(data)
    refused(version, f"{name} was altered")
    refused(version, f"{name} was altered", check)


@pytest.mark.parametrize("name", KSEQ_FILES)
def test_a_missing_file_is_refused(version: Path, name: str) -> None:
    (version / name).unlink()
    refused(version, f"{name} is missing")


@pytest.mark.parametrize("part", range(0, 64, 9))
@pytest.mark.parametrize("name", [*KSEQ_FILES, f"{HOME}/manifest.json"])
def test_a_truncated_file_is_refused(version: Path, name: str, part: int) -> None:
    data = (version / name).read_bytes()
    (version / name).write_bytes(data[: len(data) * part // 64])
    refused(version, Path(name).name)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_only_the_whole_check_reads_the_saved_model(version: Path, name: str) -> None:
    (version / name).write_bytes(b"other")
    assert read(version).recipe == RECIPE
    refused(version, name, check)


@pytest.mark.parametrize("name", [f"{HOME}/evil.py", f"{HOME}/report/more.json"])
def test_an_extra_file_is_refused(version: Path, name: str) -> None:
    (version / name).write_text("raise SystemExit")
    refused(version, f"{name} is extra")


def test_an_extra_file_beside_the_saved_model_fails_the_whole_check(version: Path) -> None:
    (version / "assets").mkdir()
    (version / "assets" / "words.txt").write_text("a")
    assert read(version).recipe == RECIPE
    refused(version, "assets/words.txt is extra", check)


@pytest.mark.parametrize("name", [*KSEQ_FILES, f"{HOME}/manifest.json", HOME, "assets.extra"])
def test_a_symbolic_link_is_refused(version: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    (version / name).rename(target)
    (version / name).symlink_to(target)
    refused(version, "symbolic link")


def test_a_pipe_is_refused(version: Path) -> None:
    os.mkfifo(version / HOME / "pipe")
    refused(version, "neither a file nor a folder")


def test_no_manifest(version: Path) -> None:
    (version / HOME / "manifest.json").unlink()
    refused(version, r"manifest\.json is missing")


@pytest.mark.parametrize("missing", ["gone", "file"])
def test_no_folder(tmp_path: Path, missing: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    refused(tmp_path / missing, "does not exist|is a file")


def test_an_empty_folder(tmp_path: Path) -> None:
    assert locate(tmp_path) == tmp_path
    refused(tmp_path, r"manifest\.json is missing")


@pytest.mark.parametrize(
    ("found", "message"),
    [(2, "newer kseq"), (0, "damaged"), (True, "damaged"), ("1", "damaged"), (None, "damaged")],
)
def test_the_format_version(version: Path, found: object, message: str) -> None:
    rewrite(version, lambda m: m.update(format_version=found))
    refused(version, message)


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "a/../b",
        "C:\\windows",
        "C:/windows",
        "",
        ".",
        "a//b",
        "a\0",
    ],
)
def test_a_path_out_of_the_folder_is_refused(version: Path, name: str) -> None:
    rewrite(version, lambda m: m["files"].update({name: {"sha256": "0" * 64, "size": 1}}))
    refused(version, "outside the artefact")


@pytest.mark.parametrize(
    "entry",
    [None, {}, {"sha256": "0" * 64}, {"sha256": "x", "size": 1}, {"sha256": "0" * 64, "size": -1}],
)
def test_a_damaged_entry_is_refused(version: Path, entry: object) -> None:
    rewrite(version, lambda m: m["files"].update({KSEQ_FILES[0]: entry}))
    refused(version, "damaged")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"[" * 100_000,
        b'{"a": 1' + b"0" * 5000 + b"}",
    ],
)
@pytest.mark.parametrize("name", ["manifest.json", "recipe.json"])
def test_bad_json_is_refused(version: Path, name: str, data: bytes) -> None:
    if name == "manifest.json":
        (version / HOME / name).write_bytes(data)
    else:
        forge(version, f"{HOME}/{name}", data)
    refused(version, name)


def test_sizes_are_capped(version: Path) -> None:
    forge(version, f"{HOME}/recipe.json", b" " * (JSON_LIMIT + 1))
    refused(version, "recipe.json has .* at most")
    (version / HOME / "manifest.json").write_bytes(b" " * (MANIFEST_LIMIT + 1))
    refused(version, "manifest.json is larger")


def test_a_pickle_in_place_of_the_weights_never_runs(version: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    forge(version, f"{HOME}/weights.safetensors", pickle.dumps(Evil()))
    refused(version, "weights.safetensors is damaged")
    assert not (tmp_path / "ran").exists()


def test_a_header_that_lies_about_shapes_is_refused(version: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}).encode()
    forge(
        version,
        f"{HOME}/weights.safetensors",
        len(header).to_bytes(8, "little") + header + b"\0" * 4,
    )
    refused(version, "weights.safetensors is damaged")


@pytest.mark.parametrize("name", KSEQ_FILES[:3])
def test_a_manifest_without_a_part_is_refused(version: Path, name: str) -> None:
    (version / name).unlink()
    rewrite(version, lambda m: m["files"].pop(name))
    refused(version, f"{name} is missing")


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"a": {"b": float("nan")}}, r"recipe\.a\.b: nan"),
        ({"a": [1, np.int64(2)]}, r"recipe\.a\[\]: expected a plain value, got int64"),
        ({"a": {1: 2}}, r"recipe\.a: the key 1"),
        ({"a": "\ud800"}, "cannot be written"),
    ],
)
def test_what_json_would_change_is_not_written(tmp_path, recipe, message) -> None:
    with pytest.raises(ArtefactError, match=message):
        write(Artefact(recipe, {}, {}), tmp_path)
    assert not (tmp_path / HOME).exists()


def test_too_large_json_is_not_written() -> None:
    with pytest.raises(ArtefactError, match="at most"):
        dump_json({"a": "b" * JSON_LIMIT}, "preprocessing")


@pytest.mark.parametrize("array", [np.array([1.0, np.nan]), np.array(["a"]), np.array([1j])])
def test_weights_that_are_no_finite_numbers_are_not_written(tmp_path, array) -> None:
    with pytest.raises(ArtefactError, match="the weight 'w'"):
        write(Artefact({}, {}, {"w": array}), tmp_path)


def test_nothing_is_overwritten(version: Path) -> None:
    with pytest.raises(ArtefactError, match="cannot be written"):
        write(Artefact({}, {}, {}), version)
    assert read(version).recipe == RECIPE
