"""Elements are escaped unless they were made here; drawings hold what they are given."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kseq.report import markup
from kseq.report.markup import Html, Picture, element
from kseq.report.statements import code

EVIL = "<script>alert('\"&x')</script>"


def test_text_and_attributes_are_escaped():
    made = element("p", EVIL, element("b", "x"), title=EVIL, class_="n", data_x=1, hidden=None)
    assert "<script" not in made
    assert made.endswith("&lt;/script&gt;<b>x</b></p>")
    assert made.count("&quot;") == 2
    assert ' class="n" data-x="1">' in made
    assert "hidden" not in made
    assert element("details", open=True) == "<details open></details>"
    assert element("img", alt="a") == '<img alt="a">'


def test_what_html_cannot_hold_is_replaced():
    assert markup.escaped("a\x00b\ud800c\x1b\ufffe\td\n") == "a\ufffdb\ufffdc\ufffd\ufffd\td\n"
    assert markup.escaped("é 中 🙂") == "é 中 🙂"
    markup.escaped("\ud83d").encode("utf-8")


def test_even_html_as_text_of_an_attribute_is_escaped():
    assert element("p", title=Html('"><b>')) == '<p title="&quot;&gt;&lt;b&gt;"></p>'


@pytest.mark.parametrize("name", ["lstm", "a`b", "``", "`a", "a`", "<b>", "**x**", " a "])
def test_a_name_in_a_sentence_comes_out_whole(name):
    made = markup.sentence(f"Of {code(name)}, and {code('y')}.")
    (first, second) = re.findall("<code>(.*?)</code>", made)
    assert (first, second) == (str(markup.escaped(name)), "y")
    assert made.startswith("Of <code>")


def test_a_lonely_backtick_and_asterisks_stay():
    assert markup.sentence("a ` b ** c") == "a ` b ** c"
    assert markup.sentence("is **not** it") == "is <strong>not</strong> it"


def test_a_table_has_headers_with_a_scope_and_a_box():
    made = markup.table(["", "F1"], [["a", "0.5"], ["<b>", "0.1"]], caption="By <type>")
    assert made.startswith('<div class="scroll" tabindex="0" role="region" aria-label="By &lt;type')
    assert '<th scope="col" class="n">F1</th>' in made
    assert '<th scope="row">&lt;b&gt;</th><td class="n">0.1</td>' in made
    assert "<caption><span>By &lt;type&gt;</span></caption>" in made


def test_the_size_of_a_picture_is_read_from_its_bytes():
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (300).to_bytes(4) + (200).to_bytes(4)
    assert Picture("x.png", "x", "x", png).size == (300, 200)
    gif = b"GIF89a" + (30).to_bytes(2, "little") + (20).to_bytes(2, "little")
    assert Picture("x.gif", "x", "x", gif).size == (30, 20)


def points(made: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", made)]


def test_curves_share_their_axes_and_break_where_nothing_is():
    made = markup.lines([("truth", [0.0, np.nan, 4.0]), ("model", [2.0, 2.0])], "x")
    first, second = re.findall(r'<path d="(.*?)" class="(\w+)">', made)
    assert first == ("M3.0 45.0M197.0 3.0", "truth")
    assert second == ("M3.0 24.0L197.0 24.0", "model")
    assert len(points(markup.lines([("a", np.arange(5000.0))], "x"))) == 160
    for flat in ([1.0, 1.0], [np.nan], []):
        assert "nan" not in markup.lines([("a", flat)], "x")


def test_a_plane_is_as_dark_as_its_values():
    made = markup.plane(np.array([[0.0, 7.0], [7.0, 3.0]]), "x")
    cells = dict(re.findall(r'd="(.*?)" fill-opacity="([\d.]+)"', made))
    assert cells == {"M1 0h1v1h-1zM0 1h1v1h-1z": "1.00", "M1 1h1v1h-1z": "0.43"}
    assert 'viewBox="0 0 48 24"' in markup.plane(np.arange(20000.0).reshape(100, 200), "x")
    for flat in (np.zeros((2, 2)), np.full((2, 2), np.nan)):
        assert "<path" not in markup.plane(flat, "x")
