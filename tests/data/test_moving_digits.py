"""Digits that move and bounce: the rules that each clip keeps."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from kseq.data.digit_images import digit_images
from kseq.data.moving_digits import MovingDigits
from kseq.errors import DataError

SOLID = np.full((1, 8, 8), 200, np.uint8)


def made(**options):
    return MovingDigits(SOLID, **{"clips": 50, "frames": 40, "size": 32, "seed": 4, **options})


def test_digits_never_leave_the_frame_and_are_there_whole():
    clips = made(count=1)
    _, places = clips.paths(np.arange(50))
    assert places.min() >= 0
    assert places.max() <= 32 - 8
    drawn = clips.draw(np.arange(50))
    np.testing.assert_array_equal((drawn == 200).sum(axis=(2, 3)), np.full((50, 40), 64))
    for clip in range(50):
        for frame in (0, 17, 39):
            y, x = places[clip, 0, frame]
            assert (drawn[clip, frame, y : y + 8, x : x + 8] == 200).all()


def test_some_reach_every_side():
    _, places = made(speed=(3.0, 3.0)).paths(np.arange(50))
    assert {0, 24} <= set(places[..., 0].ravel()) & set(places[..., 1].ravel())


def test_the_speed_stays_the_same_and_turns_at_a_side_alone():
    clips = made(speed=(2.0, 4.0), size=64, frames=60)
    _, places = clips.paths(np.arange(50))
    steps = np.diff(places, axis=2)
    room = 64 - 8
    turned = 0
    for path, step in zip(places.reshape(-1, 60, 2), steps.reshape(-1, 59, 2), strict=True):
        for axis in range(2):
            size = np.abs(step[:, axis])
            near = np.minimum(path[:, axis], room - path[:, axis])
            free = (near[:-1] > 4) & (near[1:] > 4)  # no side within a step
            # Whole pixels are rounded, so that a step is one of two neighbours.
            assert np.ptp(size[free]) <= 1
            signs = np.sign(step[:, axis])
            flips = np.flatnonzero(signs[1:] * signs[:-1] < 0) + 1
            assert (near[flips] <= 4).all()
            turned += len(flips)
        speeds = np.hypot(*np.mean(np.abs(step[4:8]), axis=0))
        assert speeds <= 4 + 1
    assert turned > 100


def test_the_speed_is_the_one_asked_for():
    clips = made(speed=(3.0, 3.0), size=256, frames=11, count=1)
    _, places = clips.paths(np.arange(50))
    path = places[:, 0].astype(float)
    straight = np.hypot(*(path[:, -1] - path[:, 0]).T) / 10
    assert np.median(straight) == pytest.approx(3.0, abs=0.1)
    still = made(speed=(0.0, 0.0)).draw(np.arange(3))
    assert (still == still[:, :1]).all()


def test_the_same_seed_gives_the_same_clips_and_another_one_others():
    rows = np.array([3, 0, 7])
    one = made().draw(rows)
    np.testing.assert_array_equal(one, made().draw(rows))
    np.testing.assert_array_equal(one[1], made()[0])
    np.testing.assert_array_equal(one, np.stack([made()[row] for row in rows]))
    assert (one != made(seed=5).draw(rows)).any(axis=(1, 2, 3)).all()
    assert (one != made().draw(rows, epoch=1)).any(axis=(1, 2, 3)).all()
    digest = hashlib.sha256(one.tobytes()).hexdigest()
    assert digest[:12] == "719b1034de5f"


def test_where_digits_overlap_the_brighter_pixel_shows():
    digits = np.stack([np.full((8, 8), 10, np.uint8), np.full((8, 8), 200, np.uint8)])
    clips = MovingDigits(digits, clips=20, frames=30, size=12, count=3, seed=0)
    which, places = clips.paths(np.arange(20))
    drawn = clips.draw(np.arange(20))
    for clip in range(20):
        for frame in (0, 29):
            expected = np.zeros((12, 12), np.uint8)
            for digit in range(3):
                y, x = places[clip, digit, frame]
                part = expected[y : y + 8, x : x + 8]
                np.maximum(part, digits[which[clip, digit]], out=part)
            np.testing.assert_array_equal(drawn[clip, frame], expected)


def test_it_is_a_sequence_of_clips():
    clips = made(clips=3)
    assert len(clips) == 3
    assert [clip.shape for clip in clips] == [(40, 32, 32)] * 3
    np.testing.assert_array_equal(clips[-1], clips[2])
    np.testing.assert_array_equal(clips[1:], clips.draw(np.array([1, 2])))
    with pytest.raises(IndexError):
        clips[3]


def test_digits_as_large_as_the_frame_stay_where_they_are():
    drawn = MovingDigits(SOLID, clips=2, size=8).draw(np.arange(2))
    assert (drawn == 200).all()


@pytest.mark.parametrize(
    ("digits", "options", "message"),
    [
        (SOLID[0], {}, r"digits: expected bytes \(images, side, side\)"),
        (SOLID.astype(float), {}, r"digits: expected bytes .* got float64"),
        (SOLID[:0], {}, "digits: expected bytes"),
        (SOLID, {"size": 7}, "digits: of 8 x 8 pixels don't fit into a frame of 7 x 7"),
        (SOLID, {"frames": 0}, "frames: expected a positive integer, got 0"),
        (SOLID, {"count": 0}, "count: expected a positive integer, got 0"),
        (SOLID, {"speed": (3.0, 2.0)}, "speed: expected the slowest and the fastest"),
    ],
)
def test_wrong_arguments(digits, options, message):
    with pytest.raises(DataError, match=message):
        MovingDigits(digits, clips=1, **options)
    with pytest.raises(DataError, match="clips: expected a positive integer, got 0"):
        MovingDigits(SOLID, clips=0)


def test_the_digits_of_scikit_learn():
    images, digests = digit_images("sklearn")
    assert images.shape == (1797, 24, 24)
    assert images.dtype == np.uint8
    assert images.max() == 255
    assert list(digests) == ["sklearn/digits"]
    small, _ = digit_images("sklearn", side=8)
    # Enlarged, and made small again by averages, they are what they were.
    again = images[:50].reshape(50, 8, 3, 8, 3).mean(axis=(2, 4))
    assert np.corrcoef(again.ravel(), small[:50].ravel())[0, 1] > 0.98


def test_the_digits_of_mnist(data_home):
    images, digests = digit_images("mnist")
    assert images.shape == (10000, 28, 28)
    assert (images[0] > 0).sum() == 116  # a seven
    assert list(digests) == ["mnist_t10k/t10k-images-idx3-ubyte.gz"]


def test_a_file_that_holds_no_images_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KSEQ_DATA_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: no such file"):
        digit_images("mnist")
    (tmp_path / "mnist_t10k").mkdir()
    file = tmp_path / "mnist_t10k" / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a gzip file"):
        digit_images("mnist")


def test_there_are_no_other_images():
    with pytest.raises(DataError, match="source: expected one of sklearn, mnist, got 'mnits'"):
        digit_images("mnits")
