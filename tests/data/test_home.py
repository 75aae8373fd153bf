from __future__ import annotations

from pathlib import Path

import pytest

from kseq.data.home import data_home, locate, search_in
from kseq.errors import DataError


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A recipe's folder, a current folder and a data home, all empty."""
    found = {name: tmp_path / name for name in ("recipe", "current", "home")}
    for folder in found.values():
        folder.mkdir()
    monkeypatch.chdir(found["current"])
    monkeypatch.setenv("KSEQ_DATA_HOME", str(found["home"]))
    return found


def test_the_data_home_is_the_environments_else_the_users_cache(monkeypatch):
    monkeypatch.setenv("KSEQ_DATA_HOME", "/somewhere")
    assert data_home() == Path("/somewhere")
    monkeypatch.setenv("KSEQ_DATA_HOME", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert data_home() == Path("/cache/kseq/data")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_home() == Path.home() / ".cache/kseq/data"


def test_the_recipes_folder_comes_before_the_current_one_and_that_before_the_home(places):
    for name in ("home", "current", "recipe"):
        (places[name] / "x.csv").write_text(name)
        with search_in(places["recipe"]):
            assert locate("x.csv").read_text() == name
    assert locate("x.csv").read_text() == "current"
    assert locate("x.csv", folder=places["recipe"]).read_text() == "recipe"


def test_an_absolute_name_is_taken_as_it_is(places):
    file = places["recipe"] / "x.csv"
    file.write_text("")
    assert locate(str(file)) == file
    with pytest.raises(DataError, match=r"no such file\. Looked in\n  /nowhere$"):
        locate("/nowhere/x.csv")


def test_a_missing_file_names_the_places_and_the_nearest_name(places):
    (places["current"] / "train.csv.gz").write_text("")
    with search_in(places["recipe"]), pytest.raises(DataError) as caught:
        locate("train.csv")
    message = str(caught.value)
    assert "train.csv: no such file (did you mean 'train.csv.gz'?)" in message
    assert all(str(folder) in message for folder in places.values())
    with pytest.raises(DataError, match=r"did you mean 'train\.csv\.gz'"):
        locate("trian.csv.gz")


def test_a_missing_public_set_says_how_to_get_it(places):
    with pytest.raises(DataError, match=r"no such file; run `kseq data get etth1`\."):
        locate("etth1/ETTh1.csv.gz")


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "an empty file name"), (".", "is a folder"), ("x" * 300, "cannot be looked for")],
)
def test_what_is_no_file_name_is_an_error(places, name, message):
    with pytest.raises(DataError, match=message):
        locate(name)
