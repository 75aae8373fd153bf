from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest

from kseq.data.home import search_in
from kseq.data.vectors import read_vectors
from kseq.errors import DataError

GLOVE = "the 1 2\nof 3 4\n. . . 5 6\nat me@x.org 7 8\nRome 9 -1e-1\nthe 0 0\nat 10 11\n"


@pytest.fixture
def folder(tmp_path):
    with search_in(tmp_path):
        yield tmp_path


def write(folder: Path, text: str | bytes, name: str = "v.txt") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def read(folder: Path, text: str | bytes, words, **given):
    found, vectors = read_vectors(write(folder, text), words, **given)
    assert vectors.dtype == np.float32
    assert len(found) == len(vectors)
    return dict(zip(found, vectors.tolist(), strict=True))


def test_only_the_words_asked_for_are_read_in_the_order_of_the_file(folder):
    vectors = read(folder, GLOVE, {"Rome", "the", "absent", "rome"})
    assert list(vectors) == ["the", "Rome"]
    assert vectors["the"] == [1, 2]  # the first of two
    assert vectors["Rome"] == pytest.approx([9, -0.1])


def test_words_may_hold_blanks(folder):
    assert read(folder, GLOVE, [". . ."]) == {". . .": [5, 6]}
    assert read(folder, GLOVE, ["at"]) == {"at": [10, 11]}
    assert list(read(folder, GLOVE, ["at", "at me@x.org"])) == ["at me@x.org", "at"]


def test_extra_words_are_the_first_others(folder):
    assert list(read(folder, GLOVE, ["Rome", "the"], extra=2)) == ["the", "of", ". . .", "Rome"]
    assert list(read(folder, GLOVE, [], extra=1)) == ["the"]
    assert len(read(folder, GLOVE, ["the"], extra=100)) == 6
    # A row without a word, as some published files have one, is nobody's.
    assert list(read(folder, "a 1 2\n 3 4\nb 5 6\n", ["a"], extra=5)) == ["a", "b"]


@pytest.mark.parametrize(
    "content",
    [
        "2 3\nthe 1 2 3\nof 4 5 6\n",
        "2 3\nthe 1 2 3 \nof 4 5 6 \n",  # as fastText ends its lines
        "the 1 2 3\r\nof 4 5 6\r\n",
        "the 1 2 3\nof 4 5 6",
        "\ufeffthe 1 2 3\nof 4 5 6\n\n",
        gzip.compress(b"2 3\nthe 1 2 3\nof 4 5 6\n", mtime=0),
    ],
    ids=range(6),
)
def test_other_ways_to_write_the_same(folder, content):
    assert read(folder, content, ["of", "the"]) == {"the": [1, 2, 3], "of": [4, 5, 6]}


def test_words_are_any_text(folder):
    words = ["\u2028", "\u00a0", "\x85", "é", "😀", "5", "2"]
    content = "".join(f"{word} {i} 0\n" for i, word in enumerate(words))
    assert list(read(folder, content, words)) == words


def test_a_row_of_other_bytes_is_passed_over_but_not_taken(folder):
    content = b"the 1 2\n\xff\xfe 3 4\nof 5 6\n"
    assert list(read(folder, content, ["of"])) == ["of"]
    with pytest.raises(DataError, match=r"v\.txt, line 2: not UTF-8 text \(byte 0xff\)"):
        read(folder, content, ["of"], extra=2)


def test_reading_ends_with_the_last_word_asked_for(folder):
    content = "the 1 2\nof broken\n"
    assert list(read(folder, content, ["the"])) == ["the"]
    with pytest.raises(DataError, match="line 2"):
        read(folder, content, ["the", "of"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ": the file is empty"),
        ("5 3\n", ": a header and no vectors"),
        ("\nthe 1\n", ", line 1: expected a word and its numbers, divided by blanks"),
        ("of\t1\t2\n", r", line 1: expected a word and its numbers, divided by blanks: 'of\\t1"),
        (" 1 2\nof 1 2\n", ", line 1: expected a word and its numbers"),
        ("the 1 x\nof 1 2\n", ", line 1: expected numbers, got 'x'"),
        ("the 1 2\nof 3\n", ", line 2: expected 2 numbers after the word, .* got 1: 'of 3'"),
        ("the 1 2\nof 3 4 5\n", ", line 2: expected 2 numbers after the word, .* got 3"),
        ("the 1 2\nof  3 4\n", ", line 2: expected 2 numbers after the word"),
        ("1 3\nof 1 2\n", ", line 2: expected 3 numbers after the word, .* got 2"),
        ("the 1 2\nof 1 two\n", ", line 2: expected numbers, got 'two'"),
        ("the 1 2\nof 1 1_0\n", ", line 2: expected numbers, got '1_0'"),
        ("the 1 2\nof 1 nan\n", ", line 2: a number is infinite, not a number or too large"),
        ("the 1 2\nof 1 inf\n", ", line 2: a number is infinite"),
        ("the 1 2\nof 1 1e40\n", ", line 2: a number is infinite, .* too large for float32"),
        (b"\xff 1 2\nof 1 2\n", r", line 1: not UTF-8 text \(byte 0xff\)"),
        (
            b"1 2\nof \xcd\xcc\xcc=\xcd\xccL>",
            ", line 2: expected 2 numbers after the word, .* got 1",
        ),
        ("of 1 2\n".encode("utf-16"), ": this is UTF-16 text; save it as UTF-8"),
        ("The 1 2\nOf 3 4\n", ": none of the 1 words asked for, such as 'of', .* such as 'The'"),
        (gzip.compress(GLOVE.encode() * 99, mtime=0)[:-20], ": the gzip file is (cut off|damaged)"),
        (b"\x1f\x8b\x08garbage and more of it", ": the gzip file is (cut off|damaged)"),
    ],
    ids=range(21),
)
def test_a_file_that_does_not_hold_is_an_error_that_says_where(folder, content, message):
    with pytest.raises(DataError, match=rf"^v\.txt{message}"):
        read(folder, content, ["of"])


def test_what_cannot_be_asked_for_is_an_error(folder):
    with pytest.raises(DataError, match="no such file"):
        read_vectors("absent.txt", ["a"])
    with pytest.raises(DataError, match=r"v\.txt: no words asked for"):
        read(folder, GLOVE, [])
    with pytest.raises(DataError, match="extra: expected a number of words from 0, got -1"):
        read(folder, GLOVE, ["the"], extra=-1)
    with pytest.raises(DataError, match=r"v\.gz: not a gzip file"):
        read_vectors(write(folder, GLOVE, "v.gz"), ["the"])


@pytest.mark.slow
def test_a_million_rows_are_passed_over_in_seconds(folder):
    numbers = " ".join(["0.12345"] * 25)
    name = write(folder, "".join(f"word{i} {numbers}\n" for i in range(1_200_000)))
    begun = time.perf_counter()
    words, vectors = read_vectors(name, [f"word{i}" for i in range(0, 1_200_000, 100)])
    assert (len(words), vectors.shape) == (12_000, (12_000, 25))
    assert time.perf_counter() - begun < 20


def test_words_that_are_never_looked_up_take_no_room(tmp_path):
    (tmp_path / "v.txt").write_text("The 1 2\nthe 3 4\n1984 5 6\nBo 7 8\nrome 9 10\n")
    with search_in(tmp_path):
        found, _ = read_vectors("v.txt", ["Bo"], extra=2, usable=str.islower)
    assert found == ["the", "Bo", "rome"]
