"""Clips in their one form, and every clip that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.data.clip_batches import ClipBatches, clip_origins
from kseq.data.clips import FrameForm, as_clips
from kseq.data.moving_digits import MovingDigits
from kseq.errors import DataError

BYTES = np.random.default_rng(0).integers(0, 256, (3, 5, 6, 4), np.uint8)
GREY = FrameForm((6, 4), 1, 255.0)


@pytest.mark.parametrize(
    ("X", "flat", "maximum"),
    [
        (BYTES, True, 255),
        (BYTES[..., None], False, 255),
        (BYTES.astype(float), True, 255),
        (BYTES.astype(np.int64), True, 255),
        (BYTES / 255, True, 1),
        (BYTES > 99, True, 1),
        (list(BYTES), True, 255),
        (BYTES.tolist(), True, 255),
        (dict(zip("abc", BYTES, strict=True)), True, 255),
    ],
    ids=["bytes", "channels", "floats", "integers", "0 to 1", "bools", "list", "lists", "mapping"],
)
def test_every_form(X, flat, maximum):
    clips = as_clips(X)
    assert (clips.flat, clips.form.maximum) == (flat, maximum)
    assert clips.form.shape == (6, 4, 1)
    assert clips.lengths.tolist() == [5, 5, 5]
    found = clips.window(np.array([2, 0]), np.array([1, 0]), 3)
    expected = np.stack([BYTES[2, 1:4], BYTES[0, :3]])[..., None]
    if isinstance(X, np.ndarray) and X.dtype == bool:
        expected = expected > 99
    elif maximum == 1:
        expected = expected / 255
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_lengths_may_differ_and_colours_are_kept():
    rng = np.random.default_rng(0)
    clips = as_clips([rng.random((length, 6, 4, 3)) for length in (4, 9)])
    assert clips.lengths.tolist() == [4, 9]
    assert clips.form == FrameForm((6, 4), 3, 1.0)


@pytest.mark.parametrize("dimensions", [1, 3])
def test_lines_and_volumes(dimensions):
    sides = (7, 6, 5)[:dimensions]
    assert as_clips(np.zeros((2, 4, *sides)), dimensions=dimensions).form.sides == sides
    clips = as_clips(np.zeros((2, 4, *sides, 2)), dimensions=dimensions)
    assert (clips.form.sides, clips.form.channels) == (sides, 2)


def spoiled(place, value):
    X = BYTES.astype(float)
    X[place] = value
    return X


BAD = {
    "nothing": ([], r"X: is empty; at least one clip is needed"),
    "no clips": (BYTES[:0], r"X: is empty; at least one clip is needed"),
    "no frames": ([BYTES[0], BYTES[0][:0]], r"X\[1\]: has 0 frames"),
    "no pixels": (np.zeros((1, 3, 0, 4)), r"X\[0\]: has frames without pixels"),
    "one frame": ([BYTES[0], BYTES[1][:1]], r"X\[1\]: has 1 frame, but at least 4 are needed"),
    "one clip": (BYTES[0], r"X: expected .* if it is one clip, pass X\[None\]"),
    "an image": (BYTES[0, 0], r"X: expected \(n, time, height, width\) or"),
    "another size": (
        [BYTES[0], BYTES[0][:, :5]],
        r"X\[1\]: has frames of 5 x 4 pixels, but X\[0\] has 6 x 4 pixels",
    ),
    "channels mixed": (
        [np.zeros((4, 6, 4, 1)), np.zeros((4, 6, 4, 3))],
        r"X\[1\]: has 3 channels a pixel, but X\[0\] has 1 channel",
    ),
    "channels in one": (
        [np.zeros((4, 6, 4)), np.zeros((4, 6, 4, 1))],
        r"X\[1\]: .* some have an axis of channels and some have none",
    ),
    "NaN": (spoiled((1, 2, 3, 1), np.nan), r"X\[1\]: nan in frame 2, pixel \(3, 1\); fill or drop"),
    "infinite": (spoiled((0, 0, 0, 0), np.inf), r"X\[0\]: inf in frame 0"),
    "too large": (spoiled((2, 0, 0, 0), 256), r"X\[2\]: has values from .* to 256; expected 0 to"),
    "negative": (spoiled((2, 0, 0, 0), -1), r"X\[2\]: has values from -1 to .*; expected 0 to 255"),
    "integers": (BYTES.astype(int) + 1, r"X\[\d\]: has values from .* to 256; expected 0 to 255"),
    "masked": (np.ma.masked_equal(BYTES, 7), r"X\[0\]: has masked pixels; fill them first"),
    "mixed scales": (
        [BYTES[0].astype(float), BYTES[1] / 255],
        r"X\[1\]: has no value above 1, but others go from 0 to 255; multiply by 255",
    ),
    "bools among bytes": ([BYTES[0], BYTES[1] > 9], r"X\[1\]: has no value above 1, but others"),
    "channels first": (
        np.zeros((2, 4, 3, 6, 5)),
        r"X\[0\]: has frames of 3 x 6 pixels with 5 channels; channels come last",
    ),
    "paths": (["a.gif", "b.gif"], r"X\[0\]: is text; the path of a file or folder is passed by"),
    "above one": (BYTES / 250, r"X: its largest value is 1\.02, .*clip them to 1, or multiply by"),
    "words": ([["a", "b"]], r"X\[0\]: is text"),
    "dates": ([np.zeros(3, "M8[D]")], r"X\[0\]: expected numbers, got datetime64"),
    "text": (b"clips", r"X: expected .* a folder, got bytes"),
    "none": (None, r"X: expected .* got NoneType"),
    "frames of two sizes": ([[BYTES[0, 0], BYTES[0, 0, :5]]], r"X\[0\]: its frames differ in size"),
    "a path": ("no/such/folder", r"no/such/folder: no such file or folder; expected clips"),
}


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_what_cannot_be_used_is_named(bad):
    X, message = BAD[bad]
    with pytest.raises(DataError, match=message) as caught:
        as_clips(X, frames=4)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("X", "form", "message"),
    [
        (BYTES, FrameForm((6, 5), 1, 255.0), "6 x 4 pixels, but the model was fitted to 6 x 5"),
        (BYTES, FrameForm((6, 4), 3, 255.0), "1 channel a pixel, but the model was fitted to 3"),
        (BYTES, FrameForm((6, 4), 1, 1.0), "values above 1, but the model was fitted to values"),
        (
            BYTES / 255,
            GREY,
            r"no value above 0\.97\d*, but the model .* multiply by 255, or pass bytes",
        ),
    ],
)
def test_what_is_not_like_the_fit_is_named(X, form, message):
    with pytest.raises(DataError, match=message):
        as_clips(X, fitted=form)


def test_dark_clips_are_like_any_others():
    assert as_clips(BYTES * 0, fitted=GREY).form == GREY
    assert as_clips(BYTES * 0.0, fitted=GREY).form == GREY


def test_origins():
    assert clip_origins(np.array([7, 4]), 3, 2, stride=2).tolist() == [[0, 3], [0, 5]]
    assert clip_origins(np.array([4]), 3, 2).shape == (0, 2)


def batches(clips, **options):
    origins = clip_origins(clips.lengths, 3, 2)
    return ClipBatches(clips, origins, window=3, horizon=2, batch_size=4, **options)


def test_batches_hold_every_window_once_an_epoch():
    clips = as_clips([BYTES[0], np.concatenate([BYTES[1], BYTES[2]])])
    drawn = batches(clips, seed=1)
    assert len(drawn) == drawn.num_batches == 2
    first = [drawn[index] for index in range(2)]
    assert [len(y) for _, y in first] == [4, 3]
    for inputs, y in first:
        assert inputs["x"].shape[1:] == (3, 6, 4, 1)
        assert inputs["x"].dtype == inputs["future"].dtype == y.dtype == np.float32
        np.testing.assert_allclose(y, inputs["future"] / 255, atol=1e-7)
    seen = np.concatenate([inputs["x"][:, 0] for inputs, _ in first])
    in_order = np.concatenate([batches(clips)[index][0]["x"][:, 0] for index in range(2)])
    key = lambda frames: sorted(frame.tobytes() for frame in frames)  # noqa: E731
    assert key(seen) == key(in_order)
    assert (seen != in_order).any()
    drawn.on_epoch_end()
    again = np.concatenate([drawn[index][0]["x"][:, 0] for index in range(2)])
    assert (seen != again).any()
    later = batches(clips, seed=1, epochs=1)
    np.testing.assert_array_equal(later[0][0]["x"], drawn[0][0]["x"])


def test_moving_digits_are_others_in_every_epoch_but_not_where_they_are_scored():
    digits = MovingDigits(np.full((3, 4, 4), 255, np.uint8), clips=6, frames=5, size=16)
    clips = as_clips(digits)
    assert clips.integers
    assert clips.form == FrameForm((16, 16), 1, 255.0)
    train, valid = batches(clips, seed=2), batches(clips)
    before = [part[0][0]["x"].copy() for part in (train, valid)]
    for part in (train, valid):
        part.on_epoch_end()
    assert (before[0] != train[0][0]["x"]).any()
    np.testing.assert_array_equal(before[1], valid[0][0]["x"])
    np.testing.assert_array_equal(before[1][..., 0], digits.draw(np.arange(4))[:, :3])
    with pytest.raises(DataError, match=r"has frames of 2 sides, but task\.dimensions is 3"):
        as_clips(digits, dimensions=3)


def test_what_rounding_puts_beyond_the_range_is_brought_back():
    for top in (1, 255):
        X = np.linspace(-1e-4, top * 1.0005, 3 * 5 * 6 * 4).reshape(3, 5, 6, 4)
        clips = as_clips(X)
        assert clips.form.maximum == top
        found = np.stack(list(clips.values))
        assert found.min() == 0
        assert found.max() == top


def test_volumes_that_seem_to_be_pictures():
    message = r"X\[0\]: has volumes of 6 x 4 x 1 pixels; if these are pictures, set task\.dim"
    with pytest.raises(DataError, match=message):
        as_clips(BYTES[..., None], dimensions=3)


def test_an_array_of_objects_is_a_list():
    X = np.empty(2, object)
    X[:] = [BYTES[0], BYTES[1][:4]]
    assert as_clips(X).lengths.tolist() == [5, 4]


def test_checked_clips_may_be_passed_on():
    clips = as_clips(BYTES)
    assert as_clips(clips, fitted=GREY).form == GREY
    with pytest.raises(DataError, match="at least 9 are needed"):
        as_clips(clips, frames=9)


def test_pictures_are_bytes_whatever_a_model_was_fitted_to(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    for number, frame in enumerate(BYTES[0]):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    clips = as_clips(tmp_path, fitted=FrameForm((6, 4), 1, 1.0))
    np.testing.assert_allclose(clips.values[0][..., 0], BYTES[0] / 255, atol=1e-6)
    clips = as_clips(tmp_path, fitted=FrameForm((6, 4), 3, 255.0))
    np.testing.assert_array_equal(clips.values[0], np.repeat(BYTES[0][..., None], 3, axis=-1))
