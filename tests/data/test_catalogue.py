from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from kseq.data.catalogue import catalogue, find
from kseq.data.download import is_whole
from kseq.errors import DataError

FILES = [file for entry in catalogue().values() for file in entry.files]
PIECES = [piece for file in FILES for piece in file.pieces]


@pytest.mark.parametrize("file", [*FILES, *PIECES], ids=lambda file: file.path)
def test_each_file_is_pinned_to_a_commit_and_a_digest(file):
    url = urlsplit(file.url)
    assert (url.scheme, url.netloc) == ("https", "raw.githubusercontent.com")
    assert re.fullmatch(r"/[^/]+/[^/]+/[0-9a-f]{40}/.+", url.path)
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert file.bytes > 0


def test_paths_are_unique_and_lie_in_the_folder_of_their_set():
    assert len({file.path for file in [*FILES, *PIECES]}) == len(FILES) + len(PIECES)
    for name, entry in catalogue().items():
        assert all(file.path.startswith(f"{name}/") for file in entry.files)
        assert ".." not in "".join(file.path for file in entry.files)
        assert all((entry.title, entry.task, entry.licence, entry.citation, entry.source))
        assert entry.bytes > 0


def test_a_file_in_pieces_says_how_it_is_put_together():
    assert {file.path for file in FILES if file.pieces} == {
        "names18/names.tsv.gz", "snips/train.jsonl.gz", "snips/valid.jsonl.gz",
    }  # fmt: skip
    for file in FILES:
        assert (file.made is not None) == bool(file.pieces)
        assert all(piece.url.startswith(file.url) for piece in file.pieces)
    assert find("names18").bytes == sum(piece.bytes for piece in find("names18").files[0].pieces)


def test_an_unknown_name_is_an_error_with_the_nearest_one():
    with pytest.raises(DataError, match=r"unknown data set 'eth1' \(did you mean 'etth1'\?\)"):
        find("eth1")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_the_real_files_are_those_of_the_catalogue(data_home, file):
    path = data_home / file.path
    if not path.exists():
        missing = f"{file.path} is not in {data_home}"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    assert is_whole(file, path)
    content = path.read_bytes()
    assert len(gzip.decompress(content) if file.packed else content) == file.bytes


def test_the_data_modules_load_no_backend():
    code = (
        "import sys, kseq.data.readers, kseq.data.download\n"
        "print([m for m in ('keras', 'tensorflow', 'sklearn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
