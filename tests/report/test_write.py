"""The report folder: exact files, with and without test data and matplotlib."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kseq.errors import DataError
from kseq.estimators.classifier import SequenceClassifier
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.intervals import with_interval
from kseq.report import canvas
from kseq.report.calibration import with_calibration
from kseq.report.write import write_report

HISTORY = {"loss": [2.0, 1.5], "val_loss": [2.5, float("nan")], "learning_rate": [0.001]}
RECIPE = {"name": "x", "task": {"kind": "regression"}, "model": {"builder": "stacked_rnn"}}

METRICS = """\
{
  "baselines": {
    "training mean": {
      "mae": 1.5,
      "mse": 4.5,
      "r2": -0.2857142857142858,
      "rmse": 2.1213203435596424
    }
  },
  "facts": {
    "epochs": 2,
    "seconds": null,
    "versions": {
      "kseq": "0.1.0"
    }
  },
  "items": 4,
  "metrics": {
    "mae": 0.5,
    "mse": 1.0,
    "r2": 0.7142857142857143,
    "rmse": 1.0
  },
  "notes": {
    "compared": "4 sequences"
  },
  "primary": "mse",
  "task": "regression"
}
"""


def test_metrics_and_history_to_the_letter(regressed: Evaluation, tmp_path: Path) -> None:
    facts = {"versions": {"kseq": "0.1.0"}, "epochs": np.int64(2), "seconds": float("nan")}
    write_report(tmp_path, recipe=RECIPE, evaluation=regressed, history=HISTORY, facts=facts)
    assert (tmp_path / "metrics.json").read_bytes().decode() == METRICS
    assert (tmp_path / "history.csv").read_bytes().decode() == (
        "epoch,loss,val_loss,learning_rate\n1,2.0,2.5,0.001\n2,1.5,,\n"
    )


def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


ALWAYS = ["metrics.json", "history.csv", "learning_curve.png"]


@pytest.mark.parametrize(
    ("task", "drawn"),
    [
        ("classified", ["confusion.png"]),
        ("regressed", ["scatter.png"]),
        ("stepwise", ["scatter.png", "series.png"]),
        ("forecasted", ["forecast.png", "lead_time.png"]),
    ],
)
def test_each_task_has_its_pictures(
    task: str, drawn: list[str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("matplotlib")
    evaluation = request.getfixturevalue(task)
    home = tmp_path / "new" / "report"
    files = write_report(home, recipe=RECIPE, evaluation=evaluation, history=HISTORY, facts={})
    assert names(files) == [*ALWAYS, *drawn, "model_card.md", "report.html"]
    assert sorted(files) == sorted(home.iterdir())
    card = files[-2].read_text(encoding="utf-8")
    for name in (*ALWAYS[2:], *drawn):
        assert f"]({name})" in card
    for baseline in evaluation.baselines:
        assert f"| {baseline} |" in card
    assert "NaN" not in files[0].read_text(encoding="utf-8")


def test_calibration_has_pictures_and_lines(
    classified: Evaluation, forecasted: Evaluation, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    sure = with_calibration(classified, SequenceClassifier(), None, None)
    # .5 twice and right, .75 twice and right once
    assert sure.notes["calibration"]["expected_calibration_error"] == pytest.approx(0.375)
    margin = np.full((6, 4, 1), 0.3)
    bounds = with_interval(forecasted, 0.9, margin, margin)
    for evaluation, name, line in (
        (sure, "reliability.png", "labels: expected calibration error 0.3750 over 4 labels"),
        (bounds, "coverage.png", "90 % intervals cover 100.0 % of test points, mean width 0.6000"),
    ):
        home = tmp_path / name
        files = write_report(home, recipe=RECIPE, evaluation=evaluation, history={}, facts={})
        assert name in names(files)
        assert line in (home / "model_card.md").read_text(encoding="utf-8")
    assert json.loads((home / "metrics.json").read_text())["notes"]["interval"]["level"] == 0.9
    assert with_calibration(forecasted, None, None, None) is forecasted


def test_no_test_data(tmp_path: Path) -> None:
    write_report(tmp_path, recipe=RECIPE, evaluation=None, history=HISTORY, facts={"seed": 7})
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")) == {
        "task": "regression",
        "primary": None,
        "metrics": {},
        "baselines": {},
        "items": 0,
        "notes": {"metrics": "no test data"},
        "facts": {"seed": 7},
    }
    assert "No test data was given" in (tmp_path / "model_card.md").read_text(encoding="utf-8")


def test_nothing_compared_draws_no_forecast(
    forecast_of: Callable[[int, int, int], Evaluation], tmp_path: Path
) -> None:
    empty = forecast_of(1, 1, 1)  # its only true value is missing
    files = write_report(tmp_path, recipe=RECIPE, evaluation=empty, history={}, facts={})
    assert names(files) == ["metrics.json", "history.csv", "model_card.md", "report.html"]
    assert json.loads(files[0].read_text(encoding="utf-8"))["metrics"]["mae"] is None


def test_without_matplotlib_the_rest_is_written(
    monkeypatch: pytest.MonkeyPatch, regressed: Evaluation, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    files = write_report(tmp_path, recipe=RECIPE, evaluation=regressed, history=HISTORY, facts={})
    assert names(files) == ["metrics.json", "history.csv", "model_card.md", "report.html"]
    card = files[-2].read_text(encoding="utf-8")
    assert "The pictures were left out: a picture needs an optional library: pip install" in card
    assert ".png" not in card


def test_facts_that_json_cannot_hold_are_a_defect(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="has no JSON form"):
        write_report(
            tmp_path, recipe=RECIPE, evaluation=None, history={}, facts={"model": object()}
        )
    assert not list(tmp_path.iterdir())


def test_a_picture_of_explanations_that_cannot_be_drawn_is_left_out(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    def refused() -> Any:
        raise DataError("too short.")

    def broken() -> Any:
        return [][3]

    explained = [
        ("reach.png", "How far", refused),
        ("gates.png", "Gates", broken),
        ("attribution.png", "Why", lambda: canvas.new_figure(2, 2)),
    ]
    said = r"gates\.png was left out, for a defect of kseq \(IndexError\) in .* out of range"
    with pytest.warns(UserWarning, match=said):
        files = write_report(
            tmp_path,
            recipe=RECIPE,
            evaluation=None,
            history=HISTORY,
            facts={},
            explained=explained,
            remarks=["Remarks come first."],
        )
    assert names(files) == [*ALWAYS, "attribution.png", "model_card.md", "report.html"]
    for file in files[-2:]:
        text = file.read_text("utf-8")
        places = [
            text.index(words)
            for words in (
                "Remarks come first.",
                "reach.png was left out: too short.",
                "gates.png was left out, for a defect of kseq (IndexError).",
            )
        ]
        assert places == sorted(places)
