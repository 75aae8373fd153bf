"""Answers as they are shown: in colour on a terminal, in brackets elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from kseq.cli.marked import Marker, probability

PERSON = {"label": "person", "start": 0, "end": 10, "probability": 0.934}
PLACE = {"label": "place", "start": 14, "end": 18, "probability": 0.051}
ANSWER = {"text": "Ana Müller in Rome", "spans": [PERSON, PLACE]}


def shown(answer, *, colour=False, **options):
    """What is printed, codes of colours included."""
    console = Console(
        file=io.StringIO(), force_terminal=colour, width=200, highlight=False,
        color_system="truecolor" if colour else None, **options,
    )  # fmt: skip
    Marker(console, ["person", "place"]).show(answer)
    return console.file.getvalue()


def test_brackets():
    assert shown(ANSWER) == "[Ana Müller person .93] in [Rome place .05]\n"


def test_colours():
    text = shown(ANSWER, colour=True)
    assert "\x1b[1;36mAna Müller\x1b[0m\x1b[2;36m person .93\x1b[0m in " in text
    assert "\x1b[1;35mRome" in text
    assert "[Ana" not in text.replace("\x1b[", "")


def test_a_terminal_that_wants_no_colour_gets_brackets():
    assert "[Ana Müller person .93]" in shown(ANSWER, colour=True, no_color=True)


def test_a_type_that_is_not_known_has_a_colour_too():
    other = {"text": "Bo", "spans": [{**PERSON, "end": 2, "label": "new"}]}
    assert "\x1b[1;36mBo" in shown(other, colour=True)


def test_spans_of_tokens():
    spans = [{**PERSON, "start": 0, "end": 2}, {**PLACE, "start": 3, "end": 4}]
    answer = {"tokens": ["Ana", "Müller", "in", "Rome"], "tags": ["O"] * 4, "spans": spans}
    assert shown(answer) == "[Ana Müller person .93] in [Rome place .05]\n"


def test_plain_tags():
    answer = {"text": "go on", "tokens": ["go", "on"], "tags": ["VERB", "ADP"]}
    assert shown(answer) == "go/VERB on/ADP\n"
    assert shown({"text": "", "tokens": [], "tags": []}) == "(empty)\n"


def test_labels_and_numbers():
    shares = {"a": 0.6, "b": 0.3, "c": 0.08, "d": 0.02}
    answer = {"text": "x", "label": "a", "probabilities": shares}
    assert shown(answer) == "x\n  a .60  b .30  c .08\n"
    both = {**ANSWER, "label": "a", "probabilities": [1.0], "label_probabilities": shares}
    assert shown(both).splitlines()[1] == "  a .60  b .30  c .08"
    assert shown({"text": "x", "prediction": 6.25}) == "x\n  6.250\n"
    assert shown({"text": "x", "prediction": [6.25, 1.0]}) == "x\n  6.250  1.000\n"


def test_the_best_taggings():
    best = [{"probability": 1.0, "tags": [], "spans": [{"label": "person", "start": 0, "end": 10}]},
            {"probability": 0.02, "tags": [], "spans": []}]  # fmt: skip
    lines = shown({**ANSWER, "nbest": best}).splitlines()
    assert lines[1:] == ["   1.0  [Ana Müller person] in Rome", "   .02  Ana Müller in Rome"]


@pytest.mark.parametrize("text", ["[bold]x[/bold]", ":smile:", "1 < 2", "[link=file://x]y"])
def test_nothing_in_a_text_is_markup(text):
    assert shown({"text": text, "spans": []}) == f"{text}\n"


def test_probabilities():
    assert [probability(p) for p in (0.0, 0.004, 0.994, 0.996, 1.0)] == [
        ".00", ".00", ".99", "1.0", "1.0"
    ]  # fmt: skip
