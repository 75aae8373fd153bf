"""Scores of frames against TensorFlow's own, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from kseq.errors import DataError
from kseq.metrics.evaluation import higher_is_better
from kseq.metrics.video import evaluate_video, similarity

RNG = np.random.default_rng(0)
TRUTH = RNG.random((6, 3, 16, 20, 2))
FORETOLD = np.clip(TRUTH + RNG.normal(scale=0.2, size=TRUTH.shape), 0, 1)
SEEN = RNG.random((6, 4, 16, 20, 2))


def scored(**options):
    halves = (slice(0, 2), slice(2, 6))  # as windows come: a few at a time
    return evaluate_video([(SEEN[h], TRUTH[h], FORETOLD[h]) for h in halves], **options)


def test_errors():
    found = scored()
    error = TRUTH - FORETOLD
    assert found.metrics["mse"] == pytest.approx(np.mean(error**2), abs=1e-12)
    assert found.metrics["mae"] == pytest.approx(np.mean(np.abs(error)), abs=1e-12)
    sums = (error**2).sum(axis=(2, 3, 4)).mean()
    assert found.metrics["frame_mse"] == pytest.approx(sums, abs=1e-9)
    sums = np.abs(error).sum(axis=(2, 3, 4)).mean()
    assert found.metrics["frame_mae"] == pytest.approx(sums, abs=1e-9)
    last = TRUTH - SEEN[:, -1:]
    assert found.baselines["persistence"]["mse"] == pytest.approx(np.mean(last**2), abs=1e-12)
    np.testing.assert_allclose(found.by_step["model"], (error**2).mean(axis=(0, 2, 3, 4)))
    np.testing.assert_allclose(found.by_step["persistence"], (last**2).mean(axis=(0, 2, 3, 4)))


def test_similarity_is_that_of_tensorflow():
    x, y = (a.reshape(-1, 16, 20, 2).astype("float32") for a in (TRUTH, FORETOLD))
    expected = tf.image.ssim(x, y, max_val=1.0).numpy()
    np.testing.assert_allclose(similarity(TRUTH, FORETOLD).ravel(), expected, atol=2e-6)
    assert scored().metrics["ssim"] == pytest.approx(expected.mean(), abs=2e-6)


def test_the_ratio_of_signal_to_noise_is_that_of_tensorflow():
    x, y = (a.reshape(-1, 16, 20, 2).astype("float32") for a in (TRUTH, FORETOLD))
    expected = tf.image.psnr(x, y, max_val=1.0).numpy().mean()
    assert scored().metrics["psnr"] == pytest.approx(expected, abs=1e-4)


def test_perfect_frames():
    found = evaluate_video([(TRUTH, TRUTH, TRUTH)])
    assert found.metrics["mse"] == 0
    assert found.metrics["ssim"] == pytest.approx(1.0, abs=1e-12)
    assert found.metrics["psnr"] == 100
    assert found.better()


@pytest.mark.parametrize("sides", [(24,), (12, 13, 14)])
def test_lines_and_volumes_have_a_similarity(sides):
    truth = RNG.random((2, 3, *sides, 1))
    assert similarity(truth, truth) == pytest.approx(np.ones((2, 3)))
    noisy = np.clip(truth + RNG.normal(scale=0.3, size=truth.shape), 0, 1)
    assert (similarity(truth, noisy) < 0.95).all()


def test_frames_narrower_than_the_window_have_none():
    small = TRUTH[:, :, :10]
    found = evaluate_video([(small, small, small)])
    assert np.isnan(found.metrics["ssim"])
    content = found.to_dict()
    assert content["metrics"]["ssim"] is None
    why = content["notes"]["undefined"]["ssim"]
    assert why == "its window is 11 pixels wide, and frames are 10 x 20"


def test_the_critical_success_index():
    seen = np.zeros((1, 1, 2, 2, 1))
    truth = np.array([[[10, 0], [30, 30]]]).reshape(1, 1, 2, 2, 1) / 255
    foretold = np.array([[[10, 10], [0, 20]]]).reshape(1, 1, 2, 2, 1) / 255
    found = evaluate_video([(seen, truth, foretold)], maximum=255, thresholds=[5, 15, 100])
    assert found.metrics["csi_5"] == pytest.approx(2 / 4)  # two hits, a miss, a false alarm
    assert found.metrics["csi_15"] == pytest.approx(1 / 2)
    assert np.isnan(found.metrics["csi_100"])
    assert found.baselines["persistence"]["csi_5"] == 0
    undefined = found.to_dict()["notes"]["undefined"]
    assert undefined["model.csi_100"] == "100 is reached neither in truth nor in what is foretold"
    assert "persistence.csi_5" not in undefined


def test_every_metric_by_lead_time():
    found = scored(thresholds=[0.5], clips=2)
    leads = found.notes["by_lead_time"]
    assert set(leads) == set(found.metrics)
    for name, rows in leads.items():
        assert {len(values) for values in rows.values()} == {3}
        if name != "csi_0.5":
            assert np.mean(rows["model"]) == pytest.approx(found.metrics[name])
    assert found.notes["compared"] == "6 windows of 2 clips"
    assert found.items == 6
    assert found.truth.shape == TRUTH.shape
    assert found.references["seen"].shape == SEEN.shape


def test_a_few_windows_are_kept_for_pictures():
    found = evaluate_video([(SEEN, TRUTH, FORETOLD)] * 3)
    assert found.items == 18
    assert found.truth.shape == (8, *TRUTH.shape[1:])
    np.testing.assert_array_equal(found.truth[6:], TRUTH[:2])


def test_nothing_to_compare():
    with pytest.raises(DataError, match="no window to compare"):
        evaluate_video([])


def test_which_way_is_better():
    better = {"mse": False, "frame_mae": False, "ssim": True, "psnr": True, "csi_20": True}
    assert {name: higher_is_better(name) for name in better} == better
