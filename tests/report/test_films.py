"""Filmstrip, animation and scores by lead time: what they show, and of which frames."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.metrics.video import evaluate_video
from kseq.report import canvas, films
from kseq.report.write import write_report

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


def scored(sides=(16, 12), *, seen=4, ahead=3, channels=1, windows=5, thresholds=(0.5,)):
    shape = (*sides, channels)
    truth = RNG.random((windows, ahead, *shape))
    return evaluate_video(
        [(RNG.random((windows, seen, *shape)), truth, np.clip(truth + 0.1, 0, 1))],
        thresholds=thresholds,
    )


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


def test_the_filmstrip_shows_every_frame():
    evaluation = scored()
    figure = films.filmstrip(evaluation, window=2)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 4 + 3 * 3
    shown = [np.asarray(axes.images[0].get_array()) for axes in panels]
    np.testing.assert_array_equal(shown[0], evaluation.references["seen"][2, 0, ..., 0])
    np.testing.assert_array_equal(shown[4], evaluation.truth[2, 0, ..., 0])
    np.testing.assert_array_equal(shown[-4], evaluation.predicted[2, 2, ..., 0])
    error = np.abs(evaluation.truth[2, 2] - evaluation.predicted[2, 2])[..., 0]
    np.testing.assert_allclose(shown[-1], error)
    words = texts(figure)
    assert {"seen", "truth", "model", "error", "0", "-3", "+1", "+3"} <= set(words)
    assert any(word.startswith("3 frames foretold from 4: MSE") for word in words)


def test_a_long_clip_is_shown_in_ten_frames():
    figure = films.filmstrip(scored(seen=30, ahead=25))
    rows = [axes for axes in figure.axes if axes.images]
    assert len(rows) == 4 * 10
    assert {"+1", "+25", "-29", "0"} <= set(texts(figure))


@pytest.mark.parametrize(("sides", "channels"), [((20,), 1), ((6, 16, 12), 1), ((16, 12), 3)])
def test_lines_volumes_and_colours(sides, channels, tmp_path):
    evaluation = scored(sides, channels=channels)
    canvas.write(films.filmstrip(evaluation), tmp_path / "strip.png")
    canvas.write_animation(films.animation(evaluation), tmp_path / "clips.gif")
    with Image.open(tmp_path / "strip.png") as picture:
        assert picture.size[0] > 500


def test_the_animation_shows_truth_above_and_model_below():
    evaluation = scored((64, 64))
    film = films.animation(evaluation)
    assert film.dtype == np.uint8
    assert film.shape == (7, 2 * 128 + 6, 3 * 128 + 2 * 6, 3)
    above, bar, below = film[:, :128], film[:, 128:134], film[:, 134:]
    np.testing.assert_array_equal(above[:4, :, :128], below[:4, :, :128])  # while it is shown
    assert (above[4:, :, :128] != below[4:, :, :128]).any()
    first = np.rint(255 * evaluation.truth[0, 0, ..., 0])
    np.testing.assert_array_equal(above[4, ::2, :128:2, 0], first)
    assert [tuple(frame[0, 0]) for frame in bar[[0, 3, 4, 6]]] == [films._SEEN] * 2 + [
        films._FORETOLD
    ] * 2


def test_the_animation_is_a_gif_that_plays(tmp_path):
    frames = films.animation(scored(windows=1))
    canvas.write_animation(frames, tmp_path / "clips.gif", pause=100)
    with Image.open(tmp_path / "clips.gif") as picture:
        assert picture.n_frames == 7
        assert picture.size == frames.shape[2:0:-1]
        assert picture.info["loop"] == 0
        assert picture.info["duration"] == 100
        picture.seek(5)
        shown = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(shown - frames[5]).mean() < 3  # of 64 colours


def test_every_metric_has_a_panel_beside_persistence():
    figure = films.lead_times(scored())
    panels = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_ylabel() for axes in panels] == ["MSE", "MAE", "SSIM", "PSNR dB", "CSI at 0.5"]
    assert all([line.get_label() for line in axes.lines] == ["model", "persistence"]
               for axes in panels)  # fmt: skip


def test_a_metric_without_a_value_has_none():
    figure = films.lead_times(scored((8, 8), thresholds=(7.0,)))
    panels = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_ylabel() for axes in panels] == ["MSE", "MAE", "PSNR dB"]


@pytest.mark.slow
def test_the_report_has_them_all(tmp_path):
    files = write_report(
        tmp_path,
        recipe={"name": "x", "task": {"kind": "video", "window": 4, "horizon": 3}},
        evaluation=scored(),
        history={"loss": [1.0], "val_loss": [1.0]},
        facts={"frame": [16, 12, 1], "clips": {"test": 5}, "frames": {"test": 35}},
    )
    drawn = [file.name for file in files if file.suffix in (".png", ".gif")]
    assert drawn == ["learning_curve.png", "filmstrip.png", "clips.gif", "lead_time.png"]
    card = (tmp_path / "model_card.md").read_text()
    assert "Foretells 3 frames of 16 x 12 from the last 4" in card
    assert "- test: 5 clips, 35 frames" in card
    assert "Pixels from 0 to 1, which stands for 1." in card
    page = files[-1].read_text("utf-8")
    assert page.count("data:image/gif;") == 1
    assert "<details open>" in page, "so that it can be closed"
    assert '<source media="(prefers-reduced-motion: reduce)" srcset="data:image/png;' in page
    assert "MSE by lead time" in page


def test_without_matplotlib_the_report_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    write_report(tmp_path, recipe={"task": "video"}, evaluation=scored(), history={}, facts={})
    assert "kseq[plot]" in (tmp_path / "model_card.md").read_text()
