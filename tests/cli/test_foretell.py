"""Video from the command line: trained, scored, and asked for the frames that follow."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import kseq
from kseq.data.digit_images import digit_images
from kseq.data.moving_digits import MovingDigits

Image = pytest.importorskip("PIL.Image")

RECIPE = {
    "name": "digits",
    "task": {"kind": "video", "window": 4, "horizon": 3, "thresholds": [100]},
    "data": {"reader": "moving_digits", "train": 16, "valid": 4, "test": 6, "frames": 7,
             "size": 32, "side": 12},
    "model": {"filters": [4]},
    "training": {"epochs": 2, "batch_size": 8},
}  # fmt: skip
CLIPS = MovingDigits(digit_images("sklearn", side=12)[0], clips=3, frames=6, size=32, seed=8)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a recipe, clips, and a model that was trained from the recipe."""
    folder = tmp_path_factory.mktemp("video")
    (folder / "digits.json").write_text(json.dumps(RECIPE))
    with pytest.MonkeyPatch.context() as patch:
        # Both are tested with the runs.
        patch.setattr("kseq.run._explained", lambda *_: ([], []))
        patch.setattr("kseq.serving.save.verify", lambda *_, **__: None)
        kseq.train(RECIPE, output=folder / "saved_models")
    np.savez(folder / "clips.npz", clips=np.stack(list(CLIPS)))
    for name, clip in zip(("one", "two"), CLIPS, strict=False):
        (folder / "many" / name).mkdir(parents=True)
        for number, frame in enumerate(clip):
            Image.fromarray(frame).save(folder / "many" / name / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def here(place, monkeypatch):
    monkeypatch.chdir(place)


ARTEFACT = "saved_models/digits"


@pytest.mark.slow
def test_training_says_how_long_it_takes_and_how_good_it_is(run):
    done = run("train", "digits.json", "--output", "others", "--set", "training.epochs=1")
    assert done.code == 0, done.err
    first = done.err.splitlines()[0]
    assert re.fullmatch(r"expected: about \d+ s, 1 epoch of [\d.]+ s", first)
    for word in ("SSIM", "CSI at 100", "persistence"):
        assert word in done.out
    report = "others/digits/1/assets.extra/kseq/report"
    facts = json.loads(Path(report, "metrics.json").read_text())["facts"]
    assert facts["clips"] == {"test": 6, "train": 16, "valid": 4}
    assert facts["frames"] == {"test": 42, "train": 112, "valid": 28}


def test_evaluate_gives_the_score_of_the_training(run):
    scored = run("evaluate", ARTEFACT, "--json").json
    report = f"{ARTEFACT}/1/assets.extra/kseq/report/metrics.json"
    assert scored["metrics"] == pytest.approx(json.loads(Path(report).read_text())["metrics"])


def test_frames_of_a_file_and_of_a_folder(run):
    expected = kseq.load(ARTEFACT).predict(np.stack(list(CLIPS)))
    assert run("predict", ARTEFACT, "clips.npz", "--output", "ahead.npz").code == 0
    found = np.load("ahead.npz")
    np.testing.assert_array_equal(found["clips"], expected)
    assert found["names"].tolist() == ["clips.npz[0]", "clips.npz[1]", "clips.npz[2]"]
    done = run("predict", ARTEFACT, "many", "--output", "ahead.npz", "--horizon", "5")
    assert "2 clips, 5 frames each: ahead.npz" in done.err
    found = np.load("ahead.npz")
    assert found["clips"].shape == (2, 5, 32, 32, 1)
    np.testing.assert_array_equal(found["clips"][:, :3, ..., 0], expected[:2])
    assert found["names"].tolist() == ["one", "two"]


def test_what_is_written_can_be_read(run):
    assert (
        run("predict", ARTEFACT, "clips.npz", "--output", "ahead.NPZ", "--horizon", "4").code == 0
    )
    found = np.load("ahead.NPZ")["clips"]
    Path("ahead.NPZ").rename("again.npz")
    assert run("predict", ARTEFACT, "again.npz", "--output", "further.npz").code == 0
    expected = kseq.load(ARTEFACT).predict(found)
    np.testing.assert_array_equal(np.load("further.npz")["clips"], expected)


def test_an_animation_of_one_clip(run):
    assert run("predict", ARTEFACT, "many/one", "--output", "ahead.gif").code == 0
    with Image.open("ahead.gif") as picture:
        assert (picture.n_frames, picture.size) == (3, (32, 32))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["clips.npz"], 2, "--output: frames are written to a file ending in .npz or .gif"),
        (["clips.npz", "--output", "x.csv"], 2, "ending in .npz or .gif"),
        (["clips.npz", "--output", "x.gif"], 2, "shows one clip, but clips.npz holds 3"),
        (["clips.npz", "--json"], 2, "--json and --set are not for video"),
        (["nothing", "--output", "x.npz"], 4, "nothing: no such file"),
        (["digits.json", "--output", "x.npz"], 4, "digits.json: expected a folder, or a file of"),
        (["--output", "x.npz"], 2, "FILE is missing"),
        (["clips.npz", "--output", "x.npz", "--horizon", "0"], 2, "--horizon"),
    ],
)
def test_predict_refuses(refused, arguments, code, message):
    assert message in refused(code, "predict", ARTEFACT, *arguments)


def test_explain_reads_clips_as_predict_does(refused):
    words = refused(2, "explain", ARTEFACT, "clips.npz", "--set", "data.size=16")
    assert "--set is not for a FILE of clips" in words


def test_one_bad_file_names_itself(refused, place):
    Image.fromarray(CLIPS[0][0][:20]).save(place / "many" / "two" / "3.png")
    message = refused(4, "predict", ARTEFACT, "many", "--output", "x.npz")
    assert "two/3.png: is 20 x 32 pixels of 1 channel, but 0.png is 32 x 32" in message
    Image.fromarray(CLIPS[1][3]).save(place / "many" / "two" / "3.png")


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (np.zeros((1, 6, 32, 32), np.uint8), "test.npz[0]: has 6 frames, but at least 7"),
        (np.zeros((1, 7, 32, 30), np.uint8), "test.npz[0]: has frames of 32 x 30 pixels, but the"),
    ],
)
def test_a_test_part_that_cannot_be_scored_is_named_before_anything_is_trained(
    refused, test, message, monkeypatch
):
    monkeypatch.setattr("kseq.training.fit.Trainer.fit", lambda *_, **__: pytest.fail("trained"))
    np.savez("train.npz", clips=np.zeros((3, 8, 32, 32), np.uint8))
    np.savez("test.npz", clips=test)
    data = '{"reader": "clips", "train": "train.npz", "test": "test.npz"}'
    assert message in refused(4, "train", "digits.json", "--set", f"data={data}")


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ("task.window=0", 3, "task.window: expected greater than 0"),
        ("task.horizon=9", 4, "has 7 frames, but at least 13 are needed"),
        ("task.dimensions=4", 3, "task.dimensions"),
        ("task.dimensions=3", 4, "has frames of 2 sides, but task.dimensions is 3"),
        ("training.loss=bce", 3, "training.loss: 'bce' compares probabilities; set model.output"),
        ("training.monitor=score", 3, "training.monitor"),
        ("model.builder=stacked_rnn", 3, "model.filters: unknown"),
        ("model.filter=[4]", 3, "model.filter: unknown (did you mean 'filters'?)"),
        ("data.size=10", 4, "digits: of 12 x 12 pixels don't fit into a frame of 10 x 10"),
        ("data.digits=mnits", 3, "data.digits: expected"),
        (
            "task=classification model.builder=conv_lstm_classifier",
            4,
            "gives clips without targets",
        ),
        ("task=tagging model={}", 4, "the reader gives clips, but task.kind tagging takes"),
    ],
)
def test_train_refuses(refused, change, code, message):
    changes = [part for each in change.split() for part in ("--set", each)]
    assert message in refused(code, "train", "digits.json", *changes)
