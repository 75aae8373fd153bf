from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import pytest

from kseq.data.home import search_in
from kseq.data.readers.conll import conll
from kseq.errors import DataError, RecipeError
from kseq.registry import readers
from kseq.schema import fill

BIO = "in\tO\nNew\tB-place\nYork\tI-place\n\nyes\tO\n"
FOUR = (
    "-DOCSTART- -X- -X- O\n\nEU NNP B-NP I-ORG\nand CC O O\nGermany NNP B-NP I-LOC\n\n"
    "UN NNP B-NP I-ORG\nEU NNP B-NP B-ORG\n\n"
)


@pytest.fixture
def folder(tmp_path):
    with search_in(tmp_path):
        yield tmp_path


def write(folder: Path, text: str | bytes, name: str = "a.conll") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def read(folder: Path, text: str | bytes, **given):
    return conll(path=write(folder, text), **given).train


def test_it_is_registered_and_its_signature_is_a_schema():
    assert readers.get("conll") is conll
    assert fill("data", conll, {"train": "x", "tag": None, "to": "bioes"})[1] == []
    _, mistakes = fill("data", conll, {"train": "x", "token": "first", "scheme": "iob", "tga": 1})
    assert len(mistakes) == 3


def test_sentences_are_lists_of_tokens_with_lists_of_tags(folder):
    part = read(folder, BIO)
    assert part.X == [["in", "New", "York"], ["yes"]]
    assert part.y == [["O", "B-place", "I-place"], ["O"]]


@pytest.mark.parametrize(
    "text",
    [
        BIO.replace("\n", "\r\n"),
        BIO.replace("\n\n", "\n\t\n"),  # a line of one empty token and one empty tag
        BIO.replace("\n\n", "\n \n\n\n"),
        "\n\n" + BIO + "\n\n",
        BIO.rstrip("\n"),
        "\ufeff" + BIO,
        BIO.replace("\t", " "),
        BIO.replace("\t", " \t "),
        BIO.replace("\n\n", "\n-DOCSTART-\tO\n"),
        "-DOCSTART-\n\n" + BIO,
        BIO.replace("\tO", "\tO "),
    ],
    ids=range(11),
)
def test_other_ways_to_write_the_same(folder, text):
    part = read(folder, text)
    assert [[token.strip() for token in sentence] for sentence in part.X] == [
        ["in", "New", "York"],
        ["yes"],
    ]
    assert part.y == [["O", "B-place", "I-place"], ["O"]]


def test_parts_are_files_packed_or_not(folder):
    train = write(folder, gzip.compress(BIO.encode(), mtime=0), "train.gz")
    data = conll(train=train, valid=write(folder, "a\tO\n", "b"), test=write(folder, "c\tO\n", "c"))
    assert (len(data.train.X), data.valid.X, data.test.y) == (2, [["a"]], [["O"]])
    assert list(data.files) == ["train.gz", "b", "c"]
    assert data.columns == ()


def test_one_file_can_be_split_and_shuffled(folder):
    name = write(folder, "\n\n".join(f"w{i}\tt{i}" for i in range(10)))
    data = conll(path=name, split=[0.6, 0.2, 0.2], shuffle=1)
    assert [len(part.X) for part in (data.train, data.valid, data.test)] == [6, 2, 2]
    for sentence, tags in zip(data.train.X, data.train.y, strict=True):
        assert sentence[0].replace("w", "t") == tags[0]
    with pytest.raises(DataError, match=r"a\.conll: sentences: data\.split asks for 20 \+ 1"):
        conll(path=name, split=[20, 1])


def test_columns_are_counted_from_either_end(folder):
    text = "1\tRome\tB-place\t-\n2\tis\tO\t-\n"
    assert read(folder, text, token=1, tag=2).X == [["Rome", "is"]]
    assert read(folder, text, token=-3, tag=-2).y == [["B-place", "O"]]


def test_tokens_can_be_read_without_tags(folder):
    part = read(folder, "in\nRome\n\nyes\n", tag=None)
    assert (part.X, part.y) == ([["in", "Rome"], ["yes"]], None)
    assert read(folder, "# O\n#b O\n", tag=None).X == [["#", "#b"]]
    with pytest.raises(RecipeError, match=r"data\.to: there are no tags"):
        read(folder, BIO, tag=None, to="bio")


def test_a_tab_divides_so_that_tokens_may_hold_blanks(folder):
    assert read(folder, "New York\tB-place\n. . .\tO\n").X == [["New York", ". . ."]]
    assert read(folder, "New\u00a0York B-place\n\u3000 O\n").X == [["New\u00a0York", "\u3000"]]
    assert read(folder, "a b\tO\n", delimiter=" ").X == [["a"]]


def test_only_line_feeds_end_a_line(folder):
    tokens = ["a\u2028b", "c\u0085d", "e\x0bf"]
    (sentence,) = read(folder, "".join(f"{token}\tO\n" for token in tokens)).X
    assert sentence == tokens


# --- comments ---


def test_comments_are_left_out_and_do_not_end_a_sentence(folder):
    text = "# newdoc\n# text = New York, # 1\nNew\tB-place\n# a\tb\tc\nYork\tI-place\n#\n\n#\tO\n"
    part = read(folder, text)
    assert part.X == [["New", "York"], ["#"]]
    with pytest.raises(DataError, match="line 2: expected 2 columns as in line 1, got 1"):
        read(folder, "a\tO\n# b\n", comments=False)


def test_a_hash_with_a_tag_is_a_token(folder):
    assert read(folder, "#\tO\n#tag\tO\n").X == [["#", "#tag"]]
    assert read(folder, "#\tO\n").X == [["#"]]
    assert read(folder, "# O\n#1 O\nwins O\n").X == [["#", "#1", "wins"]]
    assert read(folder, "# B-x\nNo I-x\nyes O\n").X == [["#", "No", "yes"]]
    # Divided by blanks a comment may have as many columns, but not a tag of the file.
    assert read(folder, "# newdoc\na O\nb B-x\n").X == [["a", "b"]]
    assert read(folder, "# id 1\nb NN x\n# NN x\n").X == [["b", "#"]]
    assert read(folder, "# SYM\nb NN\n", comments=False).X == [["#", "b"]]


def test_a_file_of_comments_alone_holds_no_token(folder):
    for text in ("# a b c\n", "-DOCSTART- O\n\n"):
        with pytest.raises(DataError, match=r"a\.conll: there is no token in it"):
            read(folder, text)


# --- schemes ---


def test_iob1_is_found_out_and_becomes_bio(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(folder, FOUR).y == [["B-ORG", "O", "B-LOC"], ["B-ORG", "B-ORG"]]
    assert read(folder, FOUR, tag=1).y[0] == ["NNP", "CC", "NNP"]
    assert read(folder, FOUR, to="bioes").y == [["S-ORG", "O", "S-LOC"], ["S-ORG", "S-ORG"]]
    # It is one scheme for all files: the test alone could be either.
    train = write(folder, "a\tB-x\nb\tI-x\n", "train")
    with pytest.warns(UserWarning, match="in bio: 1, .* The first is test, line 2: I-x"):
        data = conll(train=train, test=write(folder, "a\tO\nb\tI-x\n", "test"))
    assert data.test.y == [["O", "B-x"]]


def test_a_scheme_can_be_said_and_converted(folder):
    assert read(folder, BIO, to="bioes").y[0] == ["O", "B-place", "E-place"]
    text = "a\tB-x\nb\tE-x\nc\tS-x\n"
    assert read(folder, text).y == [["B-x", "E-x", "S-x"]]
    assert read(folder, text, to="bio").y == [["B-x", "I-x", "B-x"]]
    assert read(folder, "a\tI-x\nb\tB-x\n", scheme="iob1").y == [["B-x", "B-x"]]
    assert read(folder, "a\tI-x\n", scheme="plain").y == [["I-x"]]
    assert read(folder, "a\tO\n", to="bioes").y == [["O"]]


def test_tags_that_cannot_stand_where_they_do_are_repaired_with_one_warning(folder):
    text = "a\tB-x\nb\tO\n\nc\tO\nd\tI-x\ne\tI-y\n"
    expected = (
        r"^tags that cannot stand where they do in bio: 2, read as conlleval reads them\. "
        r"The first is a\.conll, line 5: I-x, read as B-x\. data\.strict makes them errors$"
    )
    with pytest.warns(UserWarning, match=expected) as caught:
        part = read(folder, text)
    assert part.y == [["B-x", "O"], ["O", "B-x", "B-y"]]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.raises(DataError, match=r"^a\.conll, line 5: I-x cannot stand here in bio; B-x"):
        read(folder, text, strict=True)
    with pytest.warns(UserWarning, match=r"in bioes: 1, .* line 2: B-x, read as S-x"):
        assert read(folder, "a\tS-x\nb\tB-x\n").y == [["S-x", "S-x"]]


def test_a_misspelt_tag_does_not_make_all_tags_plain(folder):
    with pytest.raises(
        DataError, match=r"a\.conll, line 3: tag 'I_place' is neither O nor .*plain"
    ):
        read(folder, BIO.replace("I-place", "I_place"))
    assert read(folder, BIO.replace("I-place", "I_"), scheme="plain").y[0][2] == "I_"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scheme": "bioes"}, "line 2: tag 'noun' is not of the scheme bioes; .* B-, I-, E-, S- "),
        ({"scheme": "iob1"}, "line 2: tag 'noun' is not of the scheme iob1; .* one of B-, I- with"),
        ({"to": "bio"}, r"line 2: tag 'noun' is of no span scheme, so that data\.to bio"),
    ],
)
def test_plain_tags_where_spans_are_expected_are_an_error(folder, given, message):
    with pytest.raises(DataError, match=message):
        read(folder, "a\tO\nb\tnoun\n", **given)


def test_plain_tags_cannot_be_converted(folder):
    with pytest.raises(RecipeError, match=r"data\.to: plain tags cannot be written as bioes"):
        read(folder, BIO, scheme="plain", to="bioes")


# --- what does not hold ---


@pytest.mark.parametrize(
    ("content", "given", "message"),
    [
        (b"", {}, r"a\.conll: the file is empty"),
        (b"a\tO\nb\n", {}, r"a\.conll, line 2: expected 2 columns as in line 1, got 1: \['b'\]"),
        (b"a\tO\n\nb\tO\tO\n", {}, r"a\.conll, line 3: expected 2 columns as in line 1, got 3"),
        (b"a\tO\nb\t\n", {}, r"a\.conll, line 2: the tag \(column 1\) is empty: \['b', ''\]"),
        (b"a\tO\n\tO\n", {}, r"a\.conll, line 2: the token \(column 0\) is empty"),
        (b"\na\tO\n", {"tag": 2}, r"a\.conll, line 2: no column 2 \(data\.tag\); the line has 2"),
        (b"a\tO\n", {"token": -3}, r"a\.conll, line 1: no column -3 \(data\.token\)"),
        (b"a\nb\n", {}, r"a\.conll, line 1: column 0 is both data\.token and data\.tag"),
        (b"a\tO\nb\xff\tO\n", {}, r"a\.conll, line 2: not UTF-8 text \(byte 0xff\)"),
        (b"\x1f\x8bxx", {}, r"a\.conll: the gzip file is (damaged|cut off)"),
    ],
)
def test_a_file_that_does_not_hold_is_an_error_that_says_where(folder, content, given, message):
    with pytest.raises(DataError, match=f"^{message}"):
        read(folder, content, **given)


def test_files_contradict_each_other(folder):
    with pytest.raises(RecipeError, match=r"data\.path: missing"):
        conll()
    with pytest.raises(RecipeError, match=r"data\.test: not together with data\.path"):
        conll(path="a", test="b")


# --- a tag a character ---


def test_characters_are_tagged_with_the_spans_of_their_tokens(folder):
    text = "在\tO\n北京\tB-place\n大学\tI-place\n上海\tB-place\ne\u0301t\tO\n"
    part = read(folder, text, unit="character")
    assert part.X == [["在", "北", "京", "大", "学", "上", "海", "e\u0301", "t"]]
    inside = ["I-place"] * 3
    assert part.y == [["O", "B-place", *inside, "B-place", "I-place", "O", "O"]]
    ends = read(folder, text, unit="character", to="bioes").y[0]
    assert ends[1:7] == ["B-place", "I-place", "I-place", "E-place", "B-place", "E-place"]


def test_characters_repeat_a_plain_tag_and_may_have_none(folder):
    text = "北京\tNOUN\n\u00a0\tX\n"
    part = read(folder, text, unit="character")
    assert part.X == [["北", "京", "\u00a0"]]
    assert part.y == [["NOUN", "NOUN", "X"]]
    part = read(folder, text, unit="character", tag=None)
    assert (part.X, part.y) == ([["北", "京", "\u00a0"]], None)
