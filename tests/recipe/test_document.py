"""Documents that nobody vouches for: read within limits, or refused by a RecipeError."""

from __future__ import annotations

import json
import os
import threading

import pytest

from kseq.errors import RecipeError
from kseq.recipe import document

VALUES = {
    "name": "näve",
    "task": {"kind": "forecasting", "window": 24},
    "training": {"learning_rate": 1e-3, "early_stopping": False},
    "model": {"units": [64, 32]},
}
TEXTS = {
    ".yaml": (
        "name: näve\n"
        "task: {kind: forecasting, window: 24}\n"
        "training:\n  learning_rate: 1e-3\n  early_stopping: false\n"
        "model:\n  units:\n  - 64\n  - 32\n"
    ),
    ".json": json.dumps(VALUES),
    ".toml": (
        'name = "näve"\n[task]\nkind = "forecasting"\nwindow = 24\n'
        "[training]\nlearning_rate = 1e-3\nearly_stopping = false\n[model]\nunits = [64, 32]\n"
    ),
}
TEXTS[".yml"] = TEXTS[".YAML"] = TEXTS[".yaml"]


@pytest.fixture
def load(tmp_path):
    """Reads a text as a document, its limits checked."""

    def read(content, suffix=".yaml"):
        path = tmp_path / f"r{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        values, lines = document.read(path)
        document.check_limits(values)
        return values, lines

    return read


@pytest.mark.parametrize("suffix", TEXTS)
def test_every_format_says_the_same(load, suffix):
    assert load(TEXTS[suffix], suffix)[0] == VALUES


@pytest.mark.parametrize("suffix", [".yaml", ".json", ".toml"])
def test_a_byte_order_mark_and_windows_lines_are_no_matter(load, suffix):
    text = TEXTS[suffix].replace("\n", "\r\n")
    assert load(b"\xef\xbb\xbf" + text.encode(), suffix)[0] == VALUES


def test_yaml_tells_the_line_of_every_path(load):
    _, lines = load(TEXTS[".yaml"])
    assert lines["task.window"] == 2
    assert lines["training"] == 3
    assert lines["training.early_stopping"] == 5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("no", "no"),
        ("012", 12),
        ("12:30:45", "12:30:45"),
        ("true", True),
        ("~", None),
        ("[64, 32]", [64, 32]),
        ("{a: 1}", {"a": 1}),
        ("lstm", "lstm"),
        ("", None),
        ("a b.csv", "a b.csv"),
        ("'64'", "64"),
    ],
)
def test_one_value_reads_as_in_yaml(text, value):
    read = document.value(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", ["[1", "a: b: c", "*a", "!!int 3", "x\n---\ny", "2001-01-01"])
def test_what_is_no_value_is_refused(text):
    with pytest.raises(RecipeError):
        document.value(text)


# --- what is refused, and in which words ---

DEEP = 100_000
YAML = [
    ("a: 1\n a: 2", "line 2, column"),
    ("a: [1", "line"),
    ("\ta: 1", "line 1, column 1"),
    ("a: &x 1\nb: 2", "line 1: YAML anchors and aliases are not accepted"),
    ("a: 1\nb: *x", "line 2: YAML anchors and aliases are not accepted"),
    ("b: &x {c: 1}\na: {<<: *x}", "line 1: YAML anchors and aliases are not accepted"),
    ("a: !!python/object/apply:os.system [id]", "line 1: YAML tags are not accepted"),
    ("a: !local 1", "line 1: YAML tags are not accepted, got !local"),
    ("a: !!str 1", "line 1: YAML tags are not accepted"),
    ("!!map {a: 1}", "line 1: YAML tags are not accepted"),
    ("a: {b: 1, b: 2}", 'line 1, column 11: found duplicate key "b"'),
    ("a: 1\n---\nb: 2", "line 2: a recipe is one YAML document"),
    ("%YAML 9.9\n---\na: 1", "line 1"),
    ("a: 2001-01-01", "a: date is not a value of a recipe"),
    ("a: 2001-01-01 12:00:00", "a: datetime is not a value of a recipe"),
    ("a: 2001-13-41", "not YAML: month must be in 1..12"),
    ("1: 2", "the recipe: expected plain text as key, got 1"),
    ("a: {1.5: 2}", "a: expected plain text as key, got 1.5"),
    ("a: {[1, 2]: 2}", "a: expected plain text as key"),
    ("a: {? {b: 1} : 2}", "line 1, column"),
    ("a: .inf", "a: expected a finite number, got inf"),
    ("a: [1, .nan]", "a.1: expected a finite number, got nan"),
    ("a: 1e400", "a: expected a finite number, got inf"),
    ("a: " + "9" * 4000, "a: expected an integer of at most 64 bits"),
    ("a: 0x" + "f" * 4000, "a: expected an integer of at most 64 bits"),
    ('a: "\\ud800"', "a: half a surrogate pair is no text"),
    ('{"\\e[31m": 1}', "the recipe: expected plain text as key"),
    ("a: \x00", "not YAML"),
    ("a: " + "[" * DEEP, "nested deeper than 16 levels"),
    ("a: " + "{a: " * 20_000, "nested deeper than 16 levels"),
    ("- " * 30 + "1", "nested deeper than 16 levels"),
    ("a: [" + "1," * 6000 + "]", "more than 5000 values"),
    ("a: " + "x" * 5000, "line 1: a value longer than 4096 characters"),
    ("? " + "x" * 5000 + "\n: 1", "line 1: a value longer than 4096 characters"),
]
JSON = [
    ("", "line 1, column 1: Expecting value"),
    ("[1", "line 1, column 3: Expecting ',' delimiter"),
    ("{} {}", "line 1, column 4: Extra data"),
    ("{'a': 1}", "line 1, column 2"),
    ('{"a": 1, "a": 1}', "the key 'a' stands twice"),
    ('{"a": {"b": 1, "b": 2}}', "the key 'b' stands twice"),
    ('{"a": NaN}', "NaN is not a value of JSON"),
    ('{"a": -Infinity}', "-Infinity is not a value of JSON"),
    ('{"a": 1e400}', "a: expected a finite number, got inf"),
    ('{"a": ' + "9" * 20 + "}", "a: expected an integer of at most 64 bits"),
    ('{"a": ' + "9" * 5000 + "}", "not JSON"),
    ('{"a": "\\ud800"}', "a: half a surrogate pair is no text"),
    ('{"\\ud800": 1}', "the recipe: expected plain text as key"),
    ('{"a\\nb": 1}', "the recipe: expected plain text as key"),
    ("[" * DEEP, "nested deeper than 16 levels"),
    ('{"a":' * 40_000, "nested deeper than 16 levels"),
    ('{"a":' * 16 + "1" + "}" * 16, "nested deeper than 16 levels"),
    (json.dumps([0] * 6000), "more than 5000 values"),
    (json.dumps({str(i): 0 for i in range(20_000)}), "more than 5000 values"),
    (json.dumps("x" * 5000), "a value longer than 4096 characters"),
    (json.dumps({"x" * 5000: 1}), "the recipe: expected plain text as key"),
]
TOML = [
    ("a", "not TOML"),
    ("a = 1\na = 2", "not TOML: Cannot overwrite a value"),
    ("[a]\n[a]", "not TOML"),
    ("a = 1979-05-27", "a: date is not a value of a recipe"),
    ("a = 07:32:00", "a: time is not a value of a recipe"),
    ("a = inf", "a: expected a finite number, got inf"),
    ("a = " + "9" * 5000, "not TOML"),
    ("a = " + "[" * DEEP, "nested deeper than 16 levels"),
    ("a." * 60_000 + "b = 1", "more than 5000 values"),
    ("a." * 20 + "b = 1", "nested deeper than 16 levels"),
    ("a = [" + "1," * 6000 + "]", "more than 5000 values"),
    (f'a = "{"x" * 5000}"', "a: a value longer than 4096 characters"),
]
CASES = [(suffix, *case) for suffix, cases in
         ((".yaml", YAML), (".json", JSON), (".toml", TOML)) for case in cases]  # fmt: skip


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("suffix", "text", "message"), CASES, ids=[f"{s[1:]}-{t[:24]!r}" for s, t, _ in CASES]
)
def test_it_is_refused(load, suffix, text, message):
    with pytest.raises(RecipeError) as caught:
        load(text, suffix)
    assert message in str(caught.value)
    assert len(caught.value.mistakes[0]) < 300


@pytest.mark.parametrize("suffix", [".yaml", ".json", ".toml"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#" * (document.MAX_BYTES + 1), "larger than 256 KiB"),
        (b"a: caf\xe9", "not UTF-8 text (byte 6)"),
        ("a: 1".encode("utf-16"), "not UTF-8 text (byte 0)"),
    ],
)
def test_a_file_that_is_no_text_is_refused(load, suffix, content, message):
    with pytest.raises(RecipeError) as caught:
        load(content, suffix)
    assert message in str(caught.value)
    assert caught.value.source.endswith(f"r{suffix}")


def test_a_file_at_the_limit_is_read(load):
    text = "a: 1\n"
    assert load(text + "#" * (document.MAX_BYTES - len(text)))[0] == {"a": 1}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.yaml", "no such file"),
        ("folder.yaml", "cannot be read: "),
        ("x\0.yaml", "cannot be read: "),
        ("x" * 300 + ".yaml", "cannot be read: "),
        ("r.txt", "expected a name ending in .yaml, .yml, .json, .toml"),
        ("r", "expected a name ending in"),
        ("r.py", "expected a name ending in"),
    ],
)
def test_a_path_that_is_no_document_is_refused(tmp_path, name, message):
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "r.py").write_text("raise SystemExit", encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        document.read(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_without_end_is_cut_off(tmp_path):
    path = tmp_path / "r.yaml"
    os.mkfifo(path)

    def feed():
        try:
            with path.open("wb") as pipe:
                for _ in range(1000):
                    pipe.write(b"#" * 65536)
        except BrokenPipeError:
            pass

    writer = threading.Thread(target=feed)
    writer.start()
    with pytest.raises(RecipeError, match="larger than 256 KiB"):
        document.read(path)
    writer.join()


def test_values_that_refer_to_themselves_are_refused():
    cycle: dict = {}
    cycle["a"] = cycle
    with pytest.raises(RecipeError, match="nested deeper"):
        document.check_limits(cycle)
    bomb: list = [1]
    for _ in range(12):
        bomb = [bomb] * 10
    with pytest.raises(RecipeError, match="more than 5000 values"):
        document.check_limits(bomb)


# --- writing ---


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json"])
def test_what_is_written_reads_back_the_same(tmp_path, suffix):
    values = {
        **VALUES,
        "odd": ["yes", "no", "1e3", "012", "~", "", " a", "#x", "a: b", "2001-01-01", "- x", "é\n"],
        "numbers": [0, -1, 2**63 - 1, 1e-300, 0.1, 1e22, -0.0],
        "nothing": None,
        "key with: colon": {},
        "empty": [],
    }
    path = tmp_path / f"r{suffix}"
    document.write(values, path)
    again, _ = document.read(path)
    assert again == values
    assert list(again) == list(values)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_name_of_another_kind_is_not_written(tmp_path):
    with pytest.raises(RecipeError, match=r"written as \.yaml or \.json"):
        document.write({}, tmp_path / "r.toml")


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "r.yaml").mkdir()
    for path in (tmp_path / "r.yaml", tmp_path / "nowhere" / "r.yaml"):
        with pytest.raises(RecipeError, match="cannot be written"):
            document.write({"a": 1}, path)
    assert [p.name for p in tmp_path.iterdir()] == ["r.yaml"]
