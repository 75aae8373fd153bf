"""Clips from folders of images, animations and archives, and every file that cannot be read."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from kseq.data.clip_files import read_clips
from kseq.data.clips import as_clips
from kseq.errors import DataError, MissingExtraError

Image = pytest.importorskip("PIL.Image")

GREY = np.random.default_rng(0).integers(0, 256, (12, 6, 8), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (12, 6, 8, 3), np.uint8)


def write_images(folder, frames, *, name="frame{}.png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, start=1):
        Image.fromarray(frame).save(folder / name.format(number))
    return folder


def write_gif(path, frames):
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=50)
    return path


def test_a_folder_of_every_kind_of_clip(tmp_path):
    write_images(tmp_path / "b", GREY)
    write_gif(tmp_path / "a.gif", GREY[:7])
    np.savez(tmp_path / "c.npz", frames=GREY[:5])
    np.savez(tmp_path / "d.npz", clips=np.stack([GREY[:4], GREY[4:8]]))
    (tmp_path / ".hidden").write_text("not looked at")
    clips, names = read_clips(tmp_path)
    assert names == ["a.gif", "b", "c.npz", "d.npz[0]", "d.npz[1]"]
    expected = [GREY[:7], GREY, GREY[:5], GREY[:4], GREY[4:8]]
    for clip, want in zip(clips, expected, strict=True):
        np.testing.assert_array_equal(clip, want[..., None])
    found = as_clips(tmp_path)
    assert found.names == names
    assert found.lengths.tolist() == [7, 12, 5, 4, 4]


def test_a_folder_of_images_is_one_clip_in_the_order_of_its_numbers(tmp_path):
    (clip,), (name,) = read_clips(write_images(tmp_path / "clip", COLOUR))
    np.testing.assert_array_equal(clip, COLOUR)  # frame10 comes behind frame9
    assert name == "clip"


def test_archives_alone_have_the_form_that_they_have(tmp_path):
    np.savez(tmp_path / "c.npz", frames=GREY / 255)
    (clip,), _ = read_clips(tmp_path / "c.npz")
    np.testing.assert_array_equal(clip, GREY / 255)


def test_a_picture_with_a_palette_is_grey_where_its_colours_are(tmp_path):
    write_gif(tmp_path / "grey.gif", GREY[:3])
    (clip,), _ = read_clips(tmp_path / "grey.gif")
    assert clip.shape == (3, 6, 8, 1)
    (clip,), _ = read_clips(tmp_path / "grey.gif", channels=3)
    assert clip.shape == (3, 6, 8, 3)
    write_gif(tmp_path / "colour.gif", COLOUR[:3])
    clips, _ = read_clips(tmp_path)
    assert [clip.shape[-1] for clip in clips] == [3, 3]


def cut(path):
    path.write_bytes(path.read_bytes()[:60])


def test_one_bad_file_names_itself(tmp_path):
    folder = write_images(tmp_path / "clips" / "one", GREY)
    write_images(tmp_path / "clips" / "two", GREY)
    cut(folder / "frame3.png")
    with pytest.raises(DataError, match=r"frame3\.png: cannot be read as an image"):
        read_clips(tmp_path / "clips")
    (folder / "frame3.png").write_text("words")
    with pytest.raises(DataError, match=r"frame3\.png: cannot be read as an image"):
        read_clips(tmp_path / "clips")
    Image.fromarray(GREY[0, :4]).save(folder / "frame3.png")
    message = r"frame3\.png: is 4 x 8 pixels of 1 channel, but frame1\.png is 6 x 8 pixels"
    with pytest.raises(DataError, match=message):
        read_clips(tmp_path / "clips")
    Image.fromarray(COLOUR[0]).save(folder / "frame3.png")
    with pytest.raises(DataError, match=r"frame3\.png: is 6 x 8 pixels of 3 channels"):
        read_clips(tmp_path / "clips")
    Image.fromarray(GREY[0].astype(np.uint16)).save(folder / "frame3.png")
    with pytest.raises(DataError, match=r"frame3\.png: .*expected bytes"):
        read_clips(tmp_path / "clips")


@pytest.mark.parametrize("content", [b"", b"words", b"GIF89a", b"PK\x03\x04"], ids=str)
@pytest.mark.parametrize("ending", [".gif", ".npz"])
def test_one_bad_clip_names_itself(tmp_path, ending, content):
    write_images(tmp_path / "clips" / "one", GREY)
    (tmp_path / "clips" / f"bad{ending}").write_bytes(content)
    with pytest.raises(DataError, match=rf"bad\{ending}: "):
        read_clips(tmp_path / "clips")


def test_what_holds_no_clips_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: holds no clips; expected folders of images"):
        read_clips(tmp_path / "empty")
    write_images(tmp_path / "clips" / "one", GREY)
    (tmp_path / "clips" / "two").mkdir()
    with pytest.raises(DataError, match=r"two: holds no images \(\.png"):
        read_clips(tmp_path / "clips")
    write_images(tmp_path / "clips" / "two", GREY)
    Image.fromarray(GREY[0]).save(tmp_path / "clips" / "stray.png")
    with pytest.raises(DataError, match=r"holds the image stray\.png beside clips such as one"):
        read_clips(tmp_path / "clips")
    (tmp_path / "x.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"x\.mp4: expected a folder, or a file of \.gif, \.npz"):
        read_clips(tmp_path / "x.mp4")
    np.savez(tmp_path / "other.npz", pictures=GREY)
    with pytest.raises(DataError, match=r"expected 'frames', one clip, or 'clips'; it holds pict"):
        read_clips(tmp_path / "other.npz")
    np.savez(tmp_path / "objects.npz", frames=np.array([None, 1]))
    with pytest.raises(DataError, match="'frames' holds Python objects, which are not read"):
        read_clips(tmp_path / "objects.npz")


def test_clips_of_two_files_must_be_alike(tmp_path):
    write_images(tmp_path / "one", GREY)
    write_images(tmp_path / "two", COLOUR)
    with pytest.raises(DataError, match="two: has 3 channels a pixel, but one has 1 channel"):
        as_clips(tmp_path)


def test_without_pillow(tmp_path, monkeypatch):
    write_images(tmp_path / "one", GREY)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kseq\[plot\]'"):
        read_clips(tmp_path)


def test_pictures_that_are_grey_one_way_or_the_other_are_one_clip(tmp_path):
    folder = write_images(tmp_path / "mixed", GREY[:4])
    Image.fromarray(GREY[1]).convert("P").save(folder / "frame2.png")
    (clip,), _ = read_clips(folder)
    np.testing.assert_array_equal(clip, GREY[:4, ..., None])


def test_an_animation_that_turns_coloured(tmp_path):
    pages = [Image.fromarray(GREY[0]), Image.fromarray(COLOUR[0]), Image.fromarray(COLOUR[1])]
    pages[0].save(tmp_path / "x.gif", save_all=True, append_images=pages[1:])
    (clip,), _ = read_clips(tmp_path / "x.gif")
    assert clip.shape == (3, 6, 8, 3)
    np.testing.assert_array_equal(clip[0], np.repeat(GREY[0, ..., None], 3, axis=-1))


def test_a_picture_of_several_pages_is_no_frame(tmp_path):
    folder = write_images(tmp_path / "one", GREY[:2])
    page = Image.fromarray(GREY[0])
    page.save(folder / "frame3.tif", save_all=True, append_images=[Image.fromarray(GREY[1])])
    with pytest.raises(DataError, match=r"frame3\.tif: .*it holds 2 pictures, expected one"):
        read_clips(folder)


@pytest.mark.parametrize("array", [np.zeros((0, 3, 4, 4)), np.zeros(()), np.zeros((3, 4))], ids=str)
def test_an_archive_without_clips(tmp_path, array):
    np.savez(tmp_path / "x.npz", clips=array)
    with pytest.raises(DataError, match=r"x\.npz: 'clips': expected \(n, time, height, width"):
        read_clips(tmp_path / "x.npz")


def test_an_archive_that_means_something_else(tmp_path):
    np.savez(tmp_path / "x.npz", frames=np.zeros((3, 5, 16, 16)))
    with pytest.raises(
        DataError, match=r"got the shape \(3, 5, 16, 16\); several are called 'clips'"
    ):
        read_clips(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", frames=GREY, clips=GREY[None])
    with pytest.raises(DataError, match="holds both 'frames', one clip, and 'clips'"):
        read_clips(tmp_path / "x.npz")


def test_a_folder_one_level_too_deep(tmp_path):
    write_images(tmp_path / "clips" / "train" / "one", GREY)
    with pytest.raises(DataError, match=r"train: holds no images .* but the folder one: name this"):
        read_clips(tmp_path / "clips")


def test_an_animation_cut_anywhere_names_itself(tmp_path):
    whole = write_gif(tmp_path / "x.gif", COLOUR).read_bytes()
    for size in range(20, len(whole) - 40, 97):
        (tmp_path / "x.gif").write_bytes(whole[:size])
        with suppress(DataError):  # and no other error; some cuts leave whole frames
            assert len(read_clips(tmp_path / "x.gif")[0][0]) <= len(COLOUR)
