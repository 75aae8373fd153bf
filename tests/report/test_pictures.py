"""Every picture is a PNG of a sane size, whatever odd thing it shows."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kseq.errors import MissingExtraError
from kseq.metrics.classification import evaluate_classification
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.intervals import LEVELS, with_interval
from kseq.metrics.regression import evaluate_regression
from kseq.report import canvas, forecasts, intervals, pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

pytest.importorskip("matplotlib")


def size_of(figure: Figure, path: Path) -> tuple[int, int]:
    """Writes the figure and reads width and height from the header of the PNG."""
    canvas.write(figure, path)
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert path.stat().st_size < 150_000
    width, height = struct.unpack(">II", header[16:24])
    assert 300 < width < 1600
    assert 200 < height < 1600
    return width, height


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


Make = Callable[[int, int, int], Evaluation]

CURVES = {
    "loss": [3.0, 1.0, 0.5, 0.01],
    "accuracy": [0.1, 0.5, 0.8, 1.0],
    "val_loss": [3.0, 2.0, 1.5, 2.0],
    "val_accuracy": [0.1, 0.4, 0.6, 0.5],
    "learning_rate": [1e-3] * 4,
}


def test_learning_curve(tmp_path: Path) -> None:
    figure = pictures.learning_curve(CURVES)
    size_of(figure, tmp_path / "x.png")
    assert texts(figure) == ["Training: validation loss 1.500 at epoch 3", "4 epochs run"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss (log scale)", "accuracy"]
    assert figure.axes[0].get_yscale() == "log"
    assert pictures.learning_curve(CURVES, best=2).texts[0].get_text().endswith("at epoch 2")


@pytest.mark.parametrize(
    ("history", "title"),
    [
        ({"loss": [1.0]}, "Training without validation"),
        ({"loss": [1.0, float("nan")]}, "Training without validation"),
        (
            {"loss": [1.0], "val_loss": [float("nan")]},
            "Training without a finite validation loss",
        ),
        ({"loss": [1.0], "val_loss": [2.0]}, "Training: validation loss 2.000 at epoch 1"),
        ({}, "Training without validation"),
    ],
)
def test_learning_curve_of_little(
    history: dict[str, list[float]], title: str, tmp_path: Path
) -> None:
    figure = pictures.learning_curve(history)
    size_of(figure, tmp_path / "x.png")
    assert texts(figure)[0] == title


def test_confusion(classified: Evaluation, tmp_path: Path) -> None:
    figure = pictures.confusion(classified)
    size_of(figure, tmp_path / "x.png")
    assert texts(figure) == [
        "Confusion: accuracy 0.7500",
        "best baseline, majority class: accuracy 0.5000",
    ]
    axes = figure.axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["1", "1", "2"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[1.0, 0.0], [0.5, 0.5]])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]


@pytest.mark.parametrize(("count", "printed"), [(25, True), (26, False), (120, False)])
def test_confusion_of_many_classes(count: int, printed: bool, tmp_path: Path) -> None:
    labels = [f"a rather long label {code}" for code in range(count)]
    scored = evaluate_classification(labels, labels, None, labels, labels[0])
    figure = pictures.confusion(scored)
    if count == 120:
        size_of(figure, tmp_path / "x.png")
    assert bool(figure.axes[0].texts) is printed
    assert ("numbered from 0" in texts(figure)[1]) is (count > 100)


def test_confusion_has_a_row_for_an_unseen_label() -> None:
    scored = evaluate_classification(["a", "new"], ["a", "a"], None, ["a", "b"], "a")
    figure = pictures.confusion(scored)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["a", "b", "new"]


def test_scatter(regressed: Evaluation, stepwise: Evaluation, tmp_path: Path) -> None:
    figure = pictures.scatter(regressed)
    size_of(figure, tmp_path / "x.png")
    assert texts(figure) == [
        "Truth and prediction: MSE 1.000",
        "best baseline, training mean: MSE 4.500",
    ]
    assert len(pictures.scatter(stepwise).axes) == 2


def test_scatter_of_a_diverged_model(tmp_path: Path) -> None:
    scored = evaluate_regression([1.0, 1.0], [np.nan, np.inf], 1.0)
    size_of(pictures.scatter(scored), tmp_path / "x.png")


def test_scatter_of_very_many(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).normal(size=6000)
    figure = pictures.scatter(evaluate_regression(truth, truth + 1.0, 0.0))
    assert texts(figure)[1].endswith("5,000 of 6,000 shown")
    size_of(figure, tmp_path / "x.png")


def test_series(stepwise: Evaluation, tmp_path: Path) -> None:
    figure = pictures.series(stepwise)
    size_of(figure, tmp_path / "x.png")
    # Three sequences that have steps, two targets each.
    assert [axes.get_title(loc="right") for axes in figure.axes][::2] == [
        "sequence 0",
        "sequence 2",
        "sequence 3",
    ]


def test_forecast_windows(forecasted: Evaluation, tmp_path: Path) -> None:
    stamps = [f"2020-01-0{day} 00:00:00" for day in range(1, 7)]
    figure = forecasts.forecast(forecasted, index=stamps, history=np.zeros((6, 20, 1)))
    size_of(figure, tmp_path / "x.png")
    assert texts(figure) == [
        "Forecast 4 steps ahead: MAE 0.1000",
        "best baseline, persistence: MAE 0.5000",
    ]
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "from 2020-01-01",
        "from 2020-01-04",
        "from 2020-01-06",
    ]
    past = figure.axes[0].lines[0]
    assert list(past.get_xdata()) == list(range(-7, 1))  # twice the horizon, ending at the origin


def test_forecast_of_one_window_and_many_targets(forecast_of: Make, tmp_path: Path) -> None:
    figure = forecasts.forecast(forecast_of(1, 3, 5))
    size_of(figure, tmp_path / "x.png")
    assert len(figure.axes) == 3
    assert texts(figure)[1].endswith("3 of 5 targets shown")
    chosen = forecasts.forecast(forecast_of(1, 3, 5), targets=["t4"])
    assert chosen.axes[0].get_ylabel() == "t4"


@pytest.mark.parametrize(("windows", "panels"), [(1, 1), (40, 1), (400, 2)])
def test_forecast_one_step_ahead(
    windows: int, panels: int, forecast_of: Make, tmp_path: Path
) -> None:
    scored = forecast_of(windows, 1, 1)
    figure = forecasts.forecast(scored, index=[str(day) for day in range(windows)])
    size_of(figure, tmp_path / "x.png")
    assert len(figure.axes) == panels
    model = figure.axes[0].lines[0]
    assert model.get_label() == "model"
    np.testing.assert_array_equal(model.get_ydata(), scored.predicted[:, 0, 0])


def bounded(evaluation: Evaluation) -> Evaluation:
    """With bounds at .3 on both sides, which a third of the truths would need a level of .2 for."""
    truth = evaluation.truth
    flat = np.concatenate(truth) if isinstance(truth, list) else truth
    needed = np.where(np.arange(flat.size).reshape(flat.shape) % 3, 0.97, 0.2)
    return with_interval(evaluation, 0.9, np.full(flat.shape, 0.3), needed)


@pytest.mark.parametrize(("horizon", "panels"), [(1, 1), (4, 2)])
def test_coverage(horizon: int, panels: int, forecast_of: Make, tmp_path: Path) -> None:
    scored = bounded(forecast_of(40, horizon, 1))
    figure = intervals.coverage(scored)
    size_of(figure, tmp_path / "x.png")
    assert len(figure.axes) == panels
    points = 40 * horizon - 1
    line = f"90 % intervals cover 100.0 % of test points, mean width 0.6000 ({points} points)"
    assert texts(figure)[1] == line
    curve = figure.axes[0].lines[1]
    assert list(curve.get_xdata()) == list(LEVELS)
    shares = [row["coverage"] for row in scored.notes["interval"]["curve"]]
    assert list(curve.get_ydata()) == shares
    assert shares[0] == 0
    assert shares[-1] == pytest.approx(1 / 3, abs=0.02)


def test_bounds_are_a_band(forecast_of: Make, stepwise: Evaluation, tmp_path: Path) -> None:
    for scored in (bounded(forecast_of(6, 4, 2)), bounded(forecast_of(400, 1, 1))):
        figure = forecasts.forecast(scored)
        size_of(figure, tmp_path / "x.png")
        for axes in figure.axes:
            (band,) = axes.collections
            assert band.get_label() == "90 % interval"
    window, band = scored.predicted[-120:, 0, 0], band.get_datalim(axes.transData)
    assert band.y0 == pytest.approx(window.min() - 0.3)
    assert band.y1 == pytest.approx(window.max() + 0.3)
    figure = pictures.series(bounded(stepwise))
    size_of(figure, tmp_path / "y.png")
    assert all(len(axes.collections) == 1 for axes in figure.axes)


def test_lead_time_names_what_is_off_the_scale(forecasted: Evaluation, tmp_path: Path) -> None:
    figure = forecasts.lead_time(forecasted)
    size_of(figure, tmp_path / "x.png")
    assert [line.get_label() for line in figure.axes[0].lines] == ["model", "persistence"]
    assert "not shown: training mean (50.12)" in texts(figure)[1]


def test_the_same_picture_has_the_same_bytes(regressed: Evaluation, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        canvas.write(pictures.scatter(regressed), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_pyplot_is_left_alone(monkeypatch: pytest.MonkeyPatch, regressed: Evaluation) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    pictures.scatter(regressed)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, regressed: Evaluation) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kseq\[plot\]'"):
        pictures.scatter(regressed)
