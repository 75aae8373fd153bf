"""The README tells the truth: its tables, its outputs and its Python."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from types import ModuleType

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from kseq import SequenceClassifier, SequenceRegressor
from kseq.recipe import Recipe, document
from kseq.registry import builders, readers
from kseq.search.section import read_search

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def script(path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def first_column(text: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", text, flags=re.M))


def test_the_tables_name_every_builder_and_reader():
    section = README.split("<!-- builders: ")[1]
    table, rest = section.split("<!-- builders end -->")
    ours = {name for name in builders.names() if builders.get(name).__module__.startswith("kseq.")}
    assert first_column(table) == ours
    assert first_column(rest.split("## Scores")[0]) == set(readers.names())


def test_the_mistakes_are_what_kseq_says():
    refresh = script(ROOT / "docs" / "refresh.py")
    assert refresh.mistakes() in README


def test_the_recipe_shown_is_the_recipe_shipped():
    shown = README.split("```yaml\n")[1].split("```")[0]
    assert shown == (ROOT / "recipes" / "sunspots.yaml").read_text()


def test_the_scores_are_those_recorded():
    scores = script(ROOT / "benchmarks" / "scores.py")
    table = README.split(scores.BEGIN)[1].split(scores.END)[0].strip()
    assert table == scores.table()


def test_the_scores_of_video_are_those_recorded(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    video = script(ROOT / "benchmarks" / "video.py")
    shown = README.split(video.BEGIN)[1].split(video.END)[0].strip()
    assert shown == video.table()


def test_every_recorded_score_is_of_the_recipe_as_it_is():
    scores = script(ROOT / "benchmarks" / "scores.py")
    recorded = scores.load()
    assert recorded
    for name, entry in recorded.items():
        assert entry["recipe"] == scores.digest(ROOT / "recipes" / f"{name}.yaml"), name


@pytest.mark.slow
def test_its_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks[:4]:
        exec(block, names)
    assert names["forecaster"].predict().shape == (12,)
    assert names["video"].predict(names["clips"][0][None]).shape == (1, 3, 32, 32)
    assert os.path.isdir(tmp_path / "saved_models" / "slopes" / "1")


def test_the_builder_of_contributing_is_ten_lines_and_builds():
    import keras
    from keras import layers

    from kseq.builders import build
    from kseq.builders.heads import head
    from kseq.builders.inputs import sequence_inputs
    from kseq.layers.pooling import SequencePooling
    from kseq.schema import Count, Fraction
    from kseq.spec import Spec

    text = (ROOT / "CONTRIBUTING.md").read_text()
    block = text.split("```python\n")[1].split("```")[0]
    assert len(block.splitlines()) <= 11
    names = {
        **{"keras": keras, "layers": layers, "builders": builders, "head": head},
        **{"sequence_inputs": sequence_inputs, "SequencePooling": SequencePooling},
        **{"Count": Count, "Fraction": Fraction, "Spec": Spec},
    }
    builders.names()
    try:
        exec(block, names)
        model = build({"builder": "mean_dense", "units": 8}, Spec(features=3, outputs=2))
        assert model.output_shape == (None, 2)
    finally:
        builders._entries.pop("mean_dense", None)


@pytest.mark.slow
def test_the_python_of_the_search_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "search.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    names: dict[str, object] = {}
    exec(compile(block, "docs/search.md", "exec"), names)
    assert len(names["found"].outcomes) == 6
    assert names["again"].model == names["found"].recipe.model


def test_the_space_of_the_search_page_holds():
    text = (ROOT / "docs" / "search.md").read_text().split("```yaml\n")[1].split("```")[0]
    recipe = Recipe.from_dict({"task": "classification", **document.YAML(typ="safe").load(text)})
    assert len(read_search(recipe).space.entries) == 6


def test_the_searches_are_those_recorded(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    search = script(ROOT / "benchmarks" / "search.py")
    shown = README.split(search.BEGIN)[1].split(search.END)[0].strip()
    assert shown == search.table()


@pytest.mark.slow
def test_the_python_of_the_scikit_learn_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "scikit-learn.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/scikit-learn.md", "exec"), names)
    assert names["search"].score(names["X_test"], names["y_test"]) > 0.7
    assert list(tmp_path.glob("saved_models/season/1"))


def test_the_number_of_checks_is_that_of_scikit_learn():
    """All but the one excused; that they pass is tested in `estimators/test_scikit_learn.py`."""
    page = (ROOT / "docs" / "scikit-learn.md").read_text()
    for estimator in (SequenceClassifier(), SequenceRegressor()):
        count = len(list(estimator_checks_generator(estimator)))
        for text in (README, page):
            assert f"{type(estimator).__name__}` passes {count - 1} of {count}" in text


@pytest.mark.slow
@pytest.mark.parametrize("page", ["compare", "explain"])
def test_the_python_of_the_other_pages_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / f"{page}.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    names: dict[str, object] = {}
    exec(compile(block, f"docs/{page}.md", "exec"), names)
    if page == "compare":
        assert list(names["table"]["name"][:2]) in (["gru", "rnn"], ["rnn", "gru"])
    else:
        assert abs(names["rests"].gap) < 0.01
        assert (names["lower"] < names["prediction"]).all()
        assert (tmp_path / "rests.png").exists()


@pytest.mark.parametrize("name", ["comparison", "intervals"])
def test_these_tables_are_those_recorded(name, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    module = script(ROOT / "benchmarks" / f"{name}.py")
    shown = README.split(module.BEGIN)[1].split(module.END)[0].strip()
    assert shown == module.table()
