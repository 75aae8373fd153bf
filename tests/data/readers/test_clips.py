"""Reading clips in parts, and digits that move."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.data.home import search_in
from kseq.data.readers import clips, moving_digits
from kseq.errors import DataError, RecipeError

GREY = np.random.default_rng(0).integers(0, 256, (10, 6, 5, 4), np.uint8)


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / "all.npz", clips=GREY)
    np.savez(tmp_path / "parts.npz", train=GREY[:6], dev=GREY[6:8], test=GREY[8:])
    for name, clip in zip(("one", "two"), GREY, strict=False):
        (tmp_path / "many").mkdir(exist_ok=True)
        np.savez(tmp_path / "many" / f"{name}.npz", frames=clip[: 3 + len(name) % 2])
    with search_in(tmp_path):
        yield tmp_path


def test_an_archive_with_parts(folder):
    data = clips(path="parts.npz")
    for part, want in ((data.train, GREY[:6]), (data.valid, GREY[6:8]), (data.test, GREY[8:])):
        np.testing.assert_array_equal(part.X, want)
        assert part.y is None
    assert list(data.files) == ["parts.npz"]
    with pytest.raises(RecipeError, match=r"data\.split: parts\.npz holds its parts as train"):
        clips(path="parts.npz", split=[0.5, 0.5])


def test_an_archive_to_be_split(folder):
    data = clips(path="all.npz", split=[6, 2, 2], shuffle=1)
    parts = [data.train, data.valid, data.test]
    assert [len(part.X) for part in parts] == [6, 2, 2]
    taken = np.concatenate([part.X for part in parts])
    assert (taken[:6] != GREY[:6]).any()
    assert {clip.tobytes() for clip in taken} == {clip.tobytes() for clip in GREY}
    assert all(name.startswith("all.npz[") for name in data.train.ids)
    assert len(clips(path="all.npz").train.X) == 10


def test_files_and_folders_for_each_part(folder):
    data = clips(train="all.npz", test="many")
    assert len(data.train.X) == 10
    assert [len(clip) for clip in data.test.X] == [4, 4]
    assert data.test.ids == ["one.npz", "two.npz"]
    assert list(data.files) == ["all.npz", "many"]
    before = data.files["many"]
    np.savez(folder / "many" / "one.npz", frames=GREY[5])
    assert clips(train="all.npz", test="many").files["many"] != before


def test_what_is_missing_is_named(folder):
    with pytest.raises(DataError, match="none: no such file"):
        clips(path="none")
    np.savez(folder / "half.npz", test=GREY)
    with pytest.raises(DataError, match=r"half\.npz: expected an array 'train'; it holds test"):
        clips(path="half.npz")
    with pytest.raises(RecipeError, match=r"data\.path: missing"):
        clips()


def test_the_radar_tiles(data_home):
    data = clips(path="mrms_tiles/mrms_20190610_64x64_2km_4min.npz")
    shapes = [np.shape(part.X) for part in (data.train, data.valid, data.test)]
    assert shapes == [(87, 18, 64, 64), (35, 18, 64, 64), (49, 18, 64, 64)]


def test_parts_of_moving_digits_have_digits_of_their_own():
    data = moving_digits(train=5, valid=3, test=4, frames=7, size=40, count=1, seed=2)
    parts = [data.train.X, data.valid.X, data.test.X]
    assert [len(part) for part in parts] == [5, 3, 4]
    assert parts[0].draw(np.array([1])).shape == (1, 7, 40, 40)
    images = [{image.tobytes() for image in part.digits} for part in parts]
    assert [len(part.digits) for part in parts] == [1438, 179, 180]
    assert not images[0] & images[1]
    assert not images[0] & images[2]
    assert not images[1] & images[2]
    again = moving_digits(train=5, valid=3, test=4, frames=7, size=40, count=1, seed=2)
    np.testing.assert_array_equal(again.test.X[3], parts[2][3])
    other = moving_digits(train=5, valid=3, test=4, frames=7, size=40, count=1, seed=3)
    assert (other.test.X[3] != parts[2][3]).any()
    assert len(data.files["sklearn/digits"]) == 64


def test_classes_are_folders_or_an_array(folder):
    for name, some in (("b", GREY[:2]), ("a", GREY[2:5])):
        (folder / "kinds" / name).mkdir(parents=True)
        for number, clip in enumerate(some):
            np.savez(folder / "kinds" / name / f"{number}.npz", frames=clip)
    data = clips(path="kinds", classes=True)
    assert data.train.y.tolist() == ["a", "a", "a", "b", "b"]
    assert data.train.ids == ["a/0.npz", "a/1.npz", "a/2.npz", "b/0.npz", "b/1.npz"]
    np.testing.assert_array_equal(data.train.X[0], GREY[2])
    y = np.array(list("aabbaabbab"))
    np.savez(folder / "y.npz", clips=GREY, y=y)
    data = clips(path="y.npz", classes=True, split=[0.8, 0.2])
    assert data.test.y.tolist() == ["a", "b"]
    np.savez(folder / "yy.npz", train=GREY[:6], y_train=y[:6], test=GREY[6:], y_test=y[6:])
    data = clips(train="kinds", test="y.npz", classes=True)
    assert len(data.test.y) == 10
    data = clips(path="yy.npz", classes=True)
    assert data.test.y.tolist() == list("bbab")
    with pytest.raises(DataError, match=r"all\.npz: expected an array 'y'; it holds clips"):
        clips(path="all.npz", classes=True)
    with pytest.raises(DataError, match="many: expected a folder of clips for each class"):
        clips(path="many", classes=True)
    np.savez(folder / "short.npz", clips=GREY, y=y[:3])
    with pytest.raises(DataError, match="'y' expected the class of each of 10 clips, got <U1 of"):
        clips(path="short.npz", classes=True)


def test_parts_of_two_names_or_without_clips(folder):
    np.savez(folder / "both.npz", train=GREY, valid=GREY, dev=GREY)
    with pytest.raises(DataError, match=r"both\.npz: holds both valid and dev; leave one out"):
        clips(path="both.npz")
    np.savez(folder / "empty.npz", train=GREY[:0])
    with pytest.raises(DataError, match=r"empty\.npz: 'train': expected \(n, time, height"):
        clips(path="empty.npz")


def test_a_test_part_is_read_in_the_colours_of_the_training_part(folder):
    Image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for name, frames in (("colour", rng.integers(0, 256, (3, 6, 5, 3))), ("grey", GREY[0][:3])):
        (folder / name).mkdir()
        pages = [Image.fromarray(frame.astype(np.uint8)) for frame in frames]
        pages[0].save(folder / name / "x.gif", save_all=True, append_images=pages[1:])
    data = clips(train="colour", test="grey")
    assert data.test.X[0].shape == (3, 5, 4, 3)
    assert clips(train="grey").train.X[0].shape == (3, 5, 4, 1)


def test_the_slowest_is_not_faster_than_the_fastest():
    with pytest.raises(RecipeError, match=r"data\.speed: expected the slowest and the fastest"):
        moving_digits(speed=[3.0, 2.0])
