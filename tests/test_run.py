"""A run: from a recipe to a published version with its report."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kseq
from kseq.data.dataset import Dataset, Part
from kseq.errors import ArtefactError, DataError, RecipeError, TrainingError
from kseq.estimators.base import Estimator
from kseq.recipe import Recipe
from kseq.run import Run, as_recipe, before_test, evaluate, facts, read_data, train
from kseq.serving.artefact import check
from tests.estimators.conftest import told

HOME = Path("assets.extra") / "kseq"
RECIPE: dict[str, Any] = {
    "name": "wave",
    "task": {"kind": "forecasting", "window": 8, "horizon": 3, "season": 6},
    "seed": 5,
    "data": {"reader": "csv", "layout": "series", "path": "wave.csv", "time": "day",
             "split": [60, 15, 25]},
    "model": {"builder": "stacked_rnn", "cell": "gru", "units": 4},
    "training": {"epochs": 2, "learning_rate": 0.01},
}  # fmt: skip


def write_data(folder: Path) -> Path:
    lines = [f"{i},{np.sin(i / 3):.4f},{np.cos(i / 3):.4f}" for i in range(100)]
    path = folder / "wave.csv"
    path.write_text("\n".join(["day,sine,cosine", *lines]) + "\n", encoding="utf-8")
    return path


@dataclass
class Published:
    """A run from a file in a folder that is not the current one, and what it read and wrote."""

    run: Run
    folder: Path
    data: Path

    def json(self, name: str) -> Any:
        assert self.run.path is not None
        return json.loads((self.run.path / HOME / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Published:
    folder = tmp_path_factory.mktemp("recipes")
    data = write_data(folder)
    Recipe.from_dict(RECIPE).save(folder / "wave.yaml")
    run = train(folder / "wave.yaml", output=folder / "models")
    return Published(run, folder, data)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The current folder, with the data in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KSEQ_DATA_HOME", str(tmp_path / "none"))
    write_data(tmp_path)
    return tmp_path


def weights(estimator):
    return estimator.model_.get_weights()


# --- what is published ---


def test_it_ends_in_a_whole_version(published):
    path = published.run.path
    assert path == published.folder / "models" / "wave" / "1"
    check(path)
    assert {file.name for file in (path / HOME / "report").iterdir()} >= {
        "metrics.json",
        "model_card.md",
        "history.csv",
        "report.html",
    }
    assert f"{HOME}/report/report.html" in published.json("manifest.json")["files"]


def test_the_version_predicts_as_the_estimator_does(published):
    again = kseq.load(published.run.path)
    history = {"sine": np.sin(np.arange(9.0)), "cosine": np.cos(np.arange(9.0))}
    forecast = published.run.estimator.predict(history)
    assert forecast.keys() == {"sine", "cosine"}
    for name, values in again.predict(history).items():
        np.testing.assert_array_equal(values, forecast[name])


def test_the_report_says_what_it_was_made_of(published):
    digest = hashlib.sha256(published.data.read_bytes()).hexdigest()
    recorded = published.json("report/metrics.json")["facts"]
    assert recorded["files"] == {"wave.csv": digest}
    assert recorded["seed"] == 5
    assert recorded["versions"]["kseq"] == kseq.__version__
    assert recorded["versions"]["keras"] == keras.__version__
    assert recorded["steps"] == {"train": 60, "valid": 15, "test": 25}
    assert recorded["targets"] == ["sine", "cosine"]
    assert recorded["epochs"] == 2
    assert str(published.folder) not in json.dumps(recorded), "no path of this machine"
    manifest = published.json("manifest.json")
    assert keras.__version__ in json.dumps(manifest)
    assert "saved_model.pb" in manifest["files"]


def test_the_recorded_score_is_the_one_returned(published):
    score = published.json("report/metrics.json")
    evaluation = published.run.evaluation
    assert score["metrics"] == pytest.approx(evaluation.metrics)
    assert score["baselines"].keys() == {"last value", "value 6 steps before"}
    assert score["items"] == evaluation.items == 23, "one window from every step of the test part"


@pytest.mark.slow
def test_the_recorded_recipe_reproduces_the_run(published, here):
    recipe = Recipe.from_dict(published.json("recipe.json"))
    assert recipe.fill() == recipe
    assert recipe.name == "wave"
    run = train(recipe, output=published.folder / "models")
    assert run.path == published.folder / "models" / "wave" / "2"
    assert run.evaluation.metrics == published.run.evaluation.metrics
    for one, other in zip(weights(run.estimator), weights(published.run.estimator), strict=True):
        np.testing.assert_array_equal(one, other)


# --- runs that publish nothing ---


@pytest.mark.slow
def test_the_seed_decides(here):
    first = train(RECIPE, output=None)
    again = train(RECIPE, output=None)
    other = train({**RECIPE, "seed": 6}, output=None)
    assert first.path is None
    assert not (here / "saved_models").exists()
    assert first.evaluation.metrics == again.evaluation.metrics
    assert first.estimator.history_ == again.estimator.history_
    assert first.evaluation.metrics != other.evaluation.metrics


def test_callbacks_are_called(here):
    class Count(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            Count.epochs += 1

    run = train({**RECIPE, "training": {"epochs": 1}}, output=None, callbacks=[Count()])
    assert Count.epochs == run.estimator.n_iter_ == 1


@pytest.mark.slow
def test_without_a_test_part_there_is_no_score(here):
    recipe = Recipe.from_dict(RECIPE).replace("data.split", None).replace("training.epochs", 1)
    run = train(recipe, output="out")
    assert run.evaluation is None
    report = json.loads((run.path / HOME / "report" / "metrics.json").read_text("utf-8"))
    assert report["metrics"] == {}
    assert report["notes"] == {"metrics": "no test data"}


# --- the data ---


def test_files_are_looked_for_beside_the_recipe(published, here):
    recipe = Recipe.load(published.folder / "wave.yaml")
    (here / "wave.csv").write_text("day,sine,cosine\n1,1,1\n", encoding="utf-8")
    assert len(read_data(recipe.replace("data.split", None)).train.X["sine"]) == 100
    here_alone = Recipe.from_dict(recipe.replace("data.split", None).to_dict())
    assert len(read_data(here_alone).train.X["sine"]) == 1


def test_the_data_home_is_looked_in_last(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KSEQ_DATA_HOME", str(published.folder))
    assert len(read_data(Recipe.from_dict(RECIPE)).train.X["sine"]) == 60


def test_a_recipe_without_data_cannot_be_run(here):
    with pytest.raises(RecipeError, match="data: missing"):
        train({"task": "classification"})
    assert not (here / "saved_models").exists()


def test_forecasts_look_back_over_the_parts_before():
    def part(values):
        return Part(X={"a": np.array(values)})

    data = Dataset(train=part([1.0, 2.0]), valid=part([3.0]), test=part([4.0]))
    assert before_test(data)["a"].tolist() == [1, 2, 3]
    many = Dataset(
        train=Part(X=[{"a": np.array([1.0])}, {"a": np.array([5.0])}]),
        test=Part(X=[{"a": np.array([2.0])}, {"a": np.array([6.0])}]),
    )
    assert [one["a"].tolist() for one in before_test(many)] == [[1], [5]]


def test_sequences_are_counted_and_scored():
    rng = np.random.default_rng(0)
    y = np.array(["down", "up"] * 10)
    X = np.where(y == "up", 1.0, -1.0)[:, None, None] * np.arange(4.0)[:, None] + rng.normal(
        scale=0.1, size=(20, 4, 1)
    )
    data = Dataset(train=Part(X=X, y=y), test=Part(X=X[:6], y=y[:6]))
    estimator = kseq.from_recipe(
        {"task": "classification", "model": {"units": 4}, "training": {"epochs": 1}}
    ).fit(X, y)
    known = facts(estimator, data)
    assert known["sequences"] == {"train": 20, "test": 6}
    assert known["steps"] == {"train": 80, "test": 24}
    assert known["classes"] == ["down", "up"]
    assert evaluate(estimator, data).items == 6
    assert evaluate(estimator, Dataset(train=data.train)) is None
    with pytest.raises(DataError, match="no targets"):
        evaluate(estimator, Dataset(train=data.train, test=Part(X=X)))


@pytest.fixture
def report(monkeypatch) -> dict[str, str]:
    """The texts of the last report; what is trained is not saved."""
    texts: dict[str, str] = {}

    def save(self, path, *, recipe, report):
        texts.update({file.name: file.read_text("utf-8") for file in Path(report).glob("*.[mh]*")})
        texts["files"] = " ".join(sorted(file.name for file in Path(report).iterdir()))
        return path

    monkeypatch.setattr(Estimator, "save", save)
    return texts


@pytest.mark.slow
def test_explanations_that_fail_lose_no_training(here, report, monkeypatch):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")

    def gates(*_):
        return [][3]

    def attribute(*_, **__):
        raise DataError("item: is too short")

    monkeypatch.setattr("kseq.explain.pictures.gates", gates)
    monkeypatch.setattr("kseq.explain.pictures.attribute", attribute)
    (said,) = told(lambda: train(RECIPE, output=here / "models"))
    assert re.search(
        r"gates\.png was left out, for a defect of kseq \(IndexError\) in "
        r"kseq/explain/pictures\.py, line \d+: list index out of range",
        said,
    )
    for name in ("report.html", "model_card.md"):
        assert "attribution.png was left out: item: is too short." in report[name]
        assert "gates.png was left out, for a defect of kseq (IndexError)." in report[name]
    assert "reach.png" in report["files"].split()
    assert "gates.png" not in report["files"].split()

    def items(*_):
        raise ValueError("of no use")

    monkeypatch.setattr("kseq.run.items_of_test", items)
    (said,) = told(lambda: train(RECIPE, output=here / "models"))
    assert said.startswith(
        "What the model looks at was left out, for a defect of kseq (ValueError) in kseq/run.py"
    )
    assert "What the model looks at was left out" in report["model_card.md"]


@pytest.mark.slow
def test_a_first_series_that_is_too_short_to_explain_is_passed_over(here, report):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    rows = ["id,t,load,heat"]
    for name, count in (("a", 60), ("b", 120)):
        rows += [f"{name},{t},{np.sin(t / 3):.4f},{np.cos(t / 3):.4f}" for t in range(count)]
    (here / "two.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = {"reader": "csv", "layout": "series", "path": "two.csv", "time": "t", "id": "id"}
    task = {"kind": "forecasting", "window": 8, "horizon": 12, "target": "load"}
    task["future_covariates"] = ["heat"]
    split = {"split": [0.7, 0.15, 0.15]}  # 9 rows of a, and 18 of b
    train({**RECIPE, "task": task, "data": {**data, **split}}, output=here / "models")
    assert "attribution.png" in report["files"].split()
    assert "left out" not in report["model_card.md"]


def test_a_recipe_in_every_form(published):
    path = published.folder / "wave.yaml"
    recipe = Recipe.load(path)
    assert as_recipe(path) == as_recipe(str(path)) == as_recipe(RECIPE) == as_recipe(recipe)


# --- errors leave nothing behind ---


def test_a_loss_that_is_not_finite_publishes_nothing(here):
    training = {"epochs": 3, "learning_rate": 1e38, "clip_norm": None}
    with pytest.raises(TrainingError, match=r"Lower training\.learning_rate"):
        train({**RECIPE, "training": training}, output="out")
    assert not (here / "out").exists()


@pytest.mark.parametrize("place", ["wave.csv", "wave.csv/below", "out"])
def test_an_output_that_is_no_folder_is_known_first(here, monkeypatch, place):
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("it was trained"))
    (here / "out").mkdir()
    (here / "out" / "wave").touch()
    with pytest.raises(ArtefactError, match="is a file"):
        train(RECIPE, output=place)


def test_an_output_that_no_system_can_have_is_known_first(here, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("it was trained"))
    with pytest.raises(ArtefactError, match="cannot be written"):
        train(RECIPE, output="x" * 300)
    assert sorted(os.listdir(here)) == ["wave.csv"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": {"kind": "classification"}}, "the reader gives time series, but task.kind"),
        (
            {"data": {"reader": "sample", "name": "digits"}},
            "the reader gives sequences, but task.kind forecasting",
        ),
        (
            {"data": {"reader": "sample", "name": "sunspots", "split": [300, 9]}},
            "the test part has 9 rows, but task.horizon is 10",
        ),
    ],
)
def test_what_cannot_be_scored_is_not_trained(changes, message):
    recipe = {
        "task": {"kind": "forecasting", "window": 4, "horizon": 10},
        "data": {"reader": "sample", "name": "sunspots", "split": [0.8, 0.2]},
        "training": {"epochs": 1},
    }
    with pytest.raises(DataError, match=message):
        train({**recipe, **changes}, output=None)
