"""What is on disk: whole, one search a folder, and named where it is damaged."""

from __future__ import annotations

import errno
import json
import os

import pytest

from kseq.errors import ArtefactError
from kseq.records import sealed, unsealed
from kseq.search.ledger import Ledger, Outcome

DONE = Outcome(number=3, changes={"model.units": [8, 4]}, status="done", score=0.1 + 0.2)


def test_an_outcome_comes_back_as_it_was(tmp_path):
    with Ledger(tmp_path / "s", {"seed": 1}) as ledger:
        ledger.keep(DONE)
        assert ledger.resumed == 0
    with Ledger(tmp_path / "s", {"seed": 1}) as ledger:
        assert ledger.outcomes == {3: DONE}
        assert ledger.resumed == 1


def test_a_folder_holds_one_search(tmp_path):
    with Ledger(tmp_path, {"recipe": {"model": {"units": 8}}}):
        pass
    with (
        pytest.raises(ArtefactError, match=r"recipe\.model\.units was 8 and is 16; .* --fresh"),
        Ledger(tmp_path, {"recipe": {"model": {"units": 16}}}),
    ):
        pass


def test_two_processes_do_not_share_one(tmp_path):
    with (
        Ledger(tmp_path, {}),
        pytest.raises(ArtefactError, match="another search is running"),
        Ledger(tmp_path, {}),
    ):
        pass


def test_fresh_keeps_the_old_one_beside(tmp_path):
    place = tmp_path / "s"
    for seed in range(3):
        with Ledger(place, {"seed": seed}, fresh=True) as ledger:
            ledger.keep(DONE)
        assert ledger.aside == (tmp_path / f"s.old-{seed}" if seed else None)
    assert (tmp_path / "s.old-1" / "trial_0003" / "outcome.json").exists()
    assert (tmp_path / "s.old-2" / "search.json").exists()
    with Ledger(place, {"seed": 2}) as ledger:
        assert ledger.resumed == 1


@pytest.mark.parametrize("cut", [0, 1, 10, 50, -3])
def test_a_torn_outcome_is_named_and_run_again(tmp_path, cut):
    with Ledger(tmp_path, {}) as ledger:
        ledger.keep(DONE)
    path = tmp_path / "trial_0003" / "outcome.json"
    path.write_text(path.read_text()[:cut])
    with (
        pytest.warns(UserWarning, match=r"trial_0003/outcome\.json: damaged \(it is torn\)"),
        Ledger(tmp_path, {}) as ledger,
    ):
        assert ledger.outcomes == {}
    assert list(path.parent.glob("outcome.json.damaged-*"))


def test_a_changed_number_is_found(tmp_path):
    with Ledger(tmp_path, {}) as ledger:
        ledger.keep(DONE)
    path = tmp_path / "trial_0003" / "outcome.json"
    path.write_text(path.read_text().replace("0.30000000000000004", "0.9"))
    with pytest.warns(UserWarning, match="its digest is another"), Ledger(tmp_path, {}) as ledger:
        assert ledger.outcomes == {}


def test_a_torn_search_file_is_named(tmp_path):
    with Ledger(tmp_path, {}) as ledger:
        ledger.keep(DONE)
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(ArtefactError, match=r"search\.json: damaged"), Ledger(tmp_path, {}):
        pass
    (tmp_path / "search.json").unlink()
    with pytest.raises(ArtefactError, match="missing beside finished trials"), Ledger(tmp_path, {}):
        pass
    with Ledger(tmp_path, {}, fresh=True):
        pass


def test_a_full_disk_is_said_and_leaves_no_half_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with Ledger(tmp_path, {}) as ledger:
        ledger.keep(DONE)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ArtefactError, match=r"No space left .* the same command goes on"):
            ledger.keep(Outcome(number=4, changes={}, status="done", score=1.0))
        assert sorted(ledger.outcomes) == [3]
    monkeypatch.undo()
    assert not list(tmp_path.rglob(".*.*"))
    with Ledger(tmp_path, {}) as ledger:
        assert sorted(ledger.outcomes) == [3]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ArtefactError, match=r"file/s cannot be written"),
        Ledger(tmp_path / "file" / "s", {}),
    ):
        pass


def test_beginnings_are_counted_and_forgiven(tmp_path):
    with Ledger(tmp_path, {}) as ledger:
        assert [ledger.begin(0) for _ in range(3)] == [0, 1, 2]
        ledger.forgive(0)
        ledger.forgive(0)
        assert ledger.begin(0) == 0
        (tmp_path / "trial_0000" / "started.json").write_text("[")
        assert ledger.begin(0) == 0


def test_a_seal_holds_what_json_can():
    content = {"a": [1, 0.1, None, "ü"], "b": {"c": True}}
    assert unsealed(sealed(content)) == content
    for text in ("", "{}", "[]", '{"content": {}, "sha256": ""}', json.dumps({"content": 1})):
        with pytest.raises(ValueError, match=r"it is torn|its digest"):
            unsealed(text)


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "recipe.yaml").write_text("task: tagging")
    for fresh in (False, True):
        with (
            pytest.raises(ArtefactError, match=r"holds other things, such as recipe\.yaml"),
            Ledger(tmp_path, {}, fresh=fresh),
        ):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]
    with pytest.raises(ArtefactError, match="is a file; expected a folder"):
        Ledger(tmp_path / "recipe.yaml", {}).__enter__()


def test_a_folder_in_which_only_a_process_was_killed_is_taken(tmp_path):
    (tmp_path / ".search.json.0123").write_text("{")
    with Ledger(tmp_path, {}) as ledger:
        assert ledger.outcomes == {}
