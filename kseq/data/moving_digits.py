"""Digits that move through a frame and bounce off its sides, drawn when they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kseq.errors import DataError


class MovingDigits:
    """Clips of digits that move in straight lines and bounce off the sides of the frame.

    The standard test of video prediction. A clip is made when it is asked for, by `draw` or by its
    number, and follows from the seed, the epoch and its number alone. No digit ever leaves the
    frame; between bounces its speed stays the same. Where digits overlap the brighter pixel shows.

    Args:
        digits: The images to move, `(images, side, side)`, bytes.
        clips: How many clips there are, in an epoch.
        frames: Of a clip.
        size: The side of a frame, in pixels.
        count: Digits in a clip.
        speed: The slowest and the fastest digit, in pixels a frame.
        seed: Of everything random.

    Raises:
        DataError: If the images are none, or larger than the frame; or a number is not positive, or
            the slowest is faster than the fastest.

    Example:
        >>> clips = MovingDigits(np.full((1, 8, 8), 255, np.uint8), clips=3, size=32, seed=1)
        >>> clips.draw(np.arange(3)).shape  # (clips, time, height, width)
        (3, 20, 32, 32)

    Reference:
        Srivastava et al. (2015), Unsupervised learning of video representations using LSTMs.
    """

    def __init__(
        self,
        digits: Any,
        *,
        clips: int,
        frames: int = 20,
        size: int = 64,
        count: int = 2,
        speed: tuple[float, float] = (2.0, 4.0),
        seed: int = 0,
    ) -> None:
        self.digits = np.asarray(digits)
        if self.digits.ndim != 3 or self.digits.dtype != np.uint8 or not len(self.digits):
            raise DataError(
                "digits: expected bytes (images, side, side), got "
                f"{self.digits.dtype} of shape {self.digits.shape}"
            )
        if max(self.digits.shape[1:]) > size:
            raise DataError(
                f"digits: of {self.digits.shape[1]} x {self.digits.shape[2]} pixels don't fit "
                f"into a frame of {size} x {size}"
            )
        for what, number in (("clips", clips), ("frames", frames), ("count", count)):
            if number < 1:
                raise DataError(f"{what}: expected a positive integer, got {number!r}")
        slow, fast = speed
        if not 0 <= slow <= fast:
            raise DataError(f"speed: expected the slowest and the fastest, got {list(speed)}")
        self.clips = clips
        self.frames = frames
        self.size = size
        self.count = count
        self.speed = (slow, fast)
        self.seed = seed

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, row: int | slice) -> np.ndarray:
        rows = np.arange(self.clips)[row]  # raises where there is none
        clips = self.draw(np.atleast_1d(rows))
        return clips if isinstance(row, slice) else clips[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(self.clips))

    def draw(self, rows: np.ndarray, *, epoch: int = 0) -> np.ndarray:
        """The clips of some numbers.

        Args:
            rows: Their numbers.
            epoch: The pass over the data: each has other clips.

        Returns:
            Bytes `(clips, time, size, size)`.
        """
        which, places = self.paths(rows, epoch=epoch)
        side = self.digits.shape[1:]
        canvas = np.zeros((len(rows), self.frames, self.size, self.size), np.uint8)
        spots = sliding_window_view(canvas, side, axis=(2, 3), writeable=True)
        clip, frame = np.arange(len(rows))[:, None], np.arange(self.frames)[None]
        for digit in range(self.count):
            spot = (clip, frame, places[:, digit, :, 0], places[:, digit, :, 1])
            shown = self.digits[which[:, digit], None]
            spots[spot] = np.maximum(spots[spot], shown)
        return canvas

    def paths(self, rows: np.ndarray, *, epoch: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Which digits some clips show, and where.

        Args:
            rows: The numbers of the clips.
            epoch: The pass over the data.

        Returns:
            The digits' numbers, `(clips, digits)`; and the pixel of the upper left corner of each
            in each frame, `(clips, digits, time, 2)`, row and column.
        """
        draws = np.stack([self._draws(int(row), epoch) for row in rows])
        # shape of each: (clips, digits)
        which = (draws[..., 0] * len(self.digits)).astype(int)
        angle = 2 * np.pi * draws[..., 1]
        speed = self.speed[0] + draws[..., 2] * (self.speed[1] - self.speed[0])
        velocity = speed[..., None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        room = self.size - np.array(self.digits.shape[1:])
        # Without sides a digit would go straight on; folded at each side the line bounces.
        time = np.arange(self.frames)[:, None]
        straight = draws[..., None, 3:] * room + velocity[:, :, None] * time
        period = 2 * np.maximum(room, 1)
        folded = np.minimum(room, period / 2 - np.abs(np.mod(straight, period) - period / 2))
        return which, np.rint(folded).astype(int)

    def _draws(self, row: int, epoch: int) -> np.ndarray:
        """Numbers from 0 to 1 of one clip: digit, direction, speed and place of each."""
        return np.random.default_rng([self.seed, epoch, row]).random((self.count, 5))
