from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kseq.data.home import search_in
from kseq.data.readers.conllu import conllu
from kseq.errors import DataError
from kseq.registry import readers


def row(id: str, form: str, upos: str = "X", xpos: str = "_", feats: str = "_") -> str:
    return "\t".join([id, form, form.lower(), upos, xpos, feats, "0", "root", "_", "_"])


TEXT = "\n".join(
    [
        "# sent_id = 1",
        "# text = Vámonos al 10 000",
        row("1-2", "Vámonos", "_"),
        row("1", "Vamos", "VERB", "V", "Mood=Imp|Number=Plur"),
        row("2", "nos", "PRON"),
        row("3", "#", "SYM", "S"),
        row("3.1", "cuesta", "VERB"),
        row("4", "10 000", "NUM"),
        "",
        "# sent_id = 2",
        row("0.1", "él", "PRON"),
        row("1", "_", "PUNCT"),
        "",
    ]
)


@pytest.fixture
def folder(tmp_path):
    with search_in(tmp_path):
        yield tmp_path


def write(folder: Path, text: str | bytes, name: str = "a.conllu") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_words_are_read_without_ranges_and_empty_nodes(folder):
    assert readers.get("conllu") is conllu
    part = conllu(path=write(folder, TEXT)).train
    assert part.X == [["Vamos", "nos", "#", "10 000"], ["_"]]
    assert part.y == [["VERB", "PRON", "SYM", "NUM"], ["PUNCT"]]


def test_the_column_of_the_tags_can_be_chosen(folder):
    name = write(folder, TEXT)
    assert conllu(path=name, tag="xpos").train.y == [["V", "_", "S", "_"], ["_"]]
    assert conllu(path=name, tag="feats").train.y[0][0] == "Mood=Imp|Number=Plur"
    part = conllu(path=name, tag=None).train
    assert (len(part.X), part.y) == (2, None)


@pytest.mark.parametrize(
    "text", [TEXT.replace("\n", "\r\n"), TEXT + "\n\n", TEXT.strip()], ids=["crlf", "more", "less"]
)
def test_other_ends_of_lines_and_files(folder, text):
    assert conllu(path=write(folder, text)).train.y == [["VERB", "PRON", "SYM", "NUM"], ["PUNCT"]]


def test_parts_are_files_and_one_file_can_be_split(folder):
    train = write(folder, gzip.compress(TEXT.encode(), mtime=0), "train.gz")
    data = conllu(train=train, test=write(folder, TEXT, "test"))
    assert (len(data.train.X), data.valid, len(data.test.X)) == (2, None, 2)
    assert list(data.files) == ["train.gz", "test"]
    data = conllu(path="test", split=[1, 1])
    assert data.test.X == [["_"]]


def test_a_column_without_values_is_an_error(folder):
    name = write(folder, row("1", "a", "NOUN") + "\n")
    with pytest.raises(
        DataError, match=r"a\.conllu: the column xpos \(data\.tag\) is empty, .*upos"
    ):
        conllu(path=name, tag="xpos")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r": the file is empty"),
        ("# text = a\n", r": there is no word in it"),
        (row("1", "a") + "\n" + "2\tb\tb", r", line 2: expected the 10 columns .*, got 3: '2\\t"),
        ("1 a a X _ _ 0 root _ _\n", r", line 1: expected the 10 columns .*; tabs have to divide"),
        (row("1", "a") + "\n" + row("3", "b"), r", line 2: expected the id 2, got 3; is a line"),
        (row("1", "a") + "\n" + row("1", "b"), r", line 2: expected the id 2, got 1; .* the blank"),
        ("# x\n" + row("2", "a"), r", line 2: expected the id 1, got 2"),
        (row("x", "a"), r", line 1: expected an id such as 3, 3-4 or 8\.1, got 'x'"),
        (row("1", ""), r", line 1: column 2 is empty; expected '_'"),
        (row("1", "a", ""), r", line 1: column 4 is empty; expected '_'"),
        (row("1", "a").encode() + b"\xff", r", line 1: not UTF-8 text"),
    ],
    ids=range(11),
)
def test_a_file_that_does_not_hold_is_an_error_that_says_where(folder, content, message):
    with pytest.raises(DataError, match=rf"^a\.conllu{message}"):
        conllu(path=write(folder, content))
