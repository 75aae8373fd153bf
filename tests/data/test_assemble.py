from __future__ import annotations

import json

import pytest

from kseq.data.assemble import assemble
from kseq.errors import DataError


def test_names_are_joined_with_their_language():
    pieces = {"x/Czech.txt": "Abl\n Ján \n\n".encode(), "x/Greek.txt": b"Bouras"}
    assert assemble("names", pieces).decode() == "Abl\tCzech\n Ján \tCzech\nBouras\tGreek\n"


def test_snips_questions_become_lines_with_spans_of_characters():
    data = [{"text": "play "}, {"text": "Möwe", "entity": "track"}, {"text": "!"}]
    piece = json.dumps({"PlayMusic": [{"data": data}]}, ensure_ascii=False).encode()
    made = assemble("snips", {"a.json": piece, "b.json": piece.replace(b"!", b"\xff")}).decode()
    first, second = map(json.loads, made.splitlines())
    assert first == {"text": "play Möwe!", "intent": "PlayMusic", "spans": [[5, 9, "track"]]}
    assert second["text"] == "play Möwe\ufffd"


@pytest.mark.parametrize(
    ("made", "content"),
    [
        ("other", b"{}"),
        ("names", b"\xff"),
        ("snips", b"{"),
        ("snips", b"[]"),
        ("snips", b'{"a": [{"text": "b"}]}'),
    ],
)
def test_pieces_that_are_something_else_are_an_error(made, content):
    with pytest.raises(DataError, match=rf"^a\.json: cannot be put together as '{made}': "):
        assemble(made, {"a.json": content})
