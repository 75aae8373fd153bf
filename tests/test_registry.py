"""Registries: names in, components out; plugins that break are somebody else's."""

from __future__ import annotations

import sys
import threading
import types
from importlib.metadata import EntryPoint

import pytest

from kseq import registry as registry_module
from kseq.errors import RecipeError
from kseq.registry import Registry, builders, readers, suggest, tasks


@pytest.fixture
def home(monkeypatch):
    """A package that can be imported, as the home of a registry of nothing."""
    monkeypatch.setitem(sys.modules, "kseq_test_home", types.ModuleType("kseq_test_home"))
    return "kseq_test_home"


@pytest.fixture
def plugins(monkeypatch, home):
    """Installs modules as plugins of the registry's home."""

    def install(**modules):
        points = []
        for name, content in modules.items():
            if content is not None:
                monkeypatch.setitem(sys.modules, f"kseq_plugin_{name}", content)
            points.append(EntryPoint(name, f"kseq_plugin_{name}", home))
        monkeypatch.setattr(
            registry_module, "entry_points", lambda group: points if group == home else []
        )

    return install


def test_it_gives_back_what_was_registered(home):
    known = Registry("cell", home)

    @known.register("gru")
    def gru():
        return 1

    known.register("lstm")(print)
    assert gru() == 1, "the decorator returns what it decorates"
    assert known.get("gru") is gru
    assert known.names() == ["gru", "lstm"]


def test_a_name_is_taken_once(home):
    known = Registry("cell", home)
    known.register("gru")(print)
    with pytest.raises(ValueError, match="the cell 'gru' is registered already"):
        known.register("gru")(len)


@pytest.mark.parametrize("name", ["grv", 3, None, ["gru"], {"gru": 1}, "x" * 9999])
def test_an_unknown_name_lists_the_known_ones(home, name):
    known = Registry("cell", home)
    known.register("gru")(print)
    known.register("lstm")(print)
    with pytest.raises(RecipeError, match=r"unknown cell .*known: gru, lstm") as caught:
        known.get(name)
    if name == "grv":
        assert "did you mean 'gru'?" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_suggestions():
    assert suggest("unit", ["units", "cell"]) == " (did you mean 'units'?)"
    assert suggest("zzz", ["units", "cell"]) == ""


def test_a_home_that_cannot_be_imported_is_reported_every_time():
    known = Registry("cell", "kseq_there_is_no_such_package")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError):
            known.get("gru")


def test_plugins_register_and_may_ask_for_names(home, plugins, monkeypatch):
    known = Registry("cell", home)
    plugins(mine=types.ModuleType("kseq_plugin_mine"))
    seen = []

    def load(self):
        seen.append(known.names())
        known.register("mine")(print)

    monkeypatch.setattr(EntryPoint, "load", load)
    assert known.names() == ["mine"]
    assert known.names() == ["mine"], "a plugin is loaded once"
    assert seen == [[]]


def test_a_broken_plugin_is_reported_and_the_rest_goes_on(home, plugins):
    known = Registry("cell", home)
    known.register("gru")(print)
    plugins(broken=None, good=types.ModuleType("kseq_plugin_good"))
    with pytest.warns(UserWarning, match="the plugin 'broken' of kseq_plugin_broken cannot be"):
        assert known.get("gru") is print


def test_no_thread_sees_a_half_filled_registry(home, monkeypatch):
    known = Registry("cell", home)
    started = threading.Event()

    def slow(name):
        started.set()
        threading.Event().wait(0.2)
        known.register("gru")(print)

    monkeypatch.setattr(registry_module.importlib, "import_module", slow)
    first = threading.Thread(target=known.names)
    first.start()
    started.wait()
    assert known.get("gru") is print
    first.join()


def test_kseq_registers_what_the_design_names():
    assert {"classification", "regression", "forecasting"} <= set(tasks.names())
    assert {"csv", "npz", "sample", "ts"} <= set(readers.names())
    assert "stacked_rnn" in builders.names()
