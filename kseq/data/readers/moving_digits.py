"""Digits that bounce through a frame, made on the fly."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from kseq.data.dataset import Dataset, Part
from kseq.data.digit_images import Source, digit_images
from kseq.data.moving_digits import MovingDigits
from kseq.errors import RecipeError
from kseq.registry import readers
from kseq.schema import Count

Clips = Annotated[int, Field(gt=0, le=10_000_000)]
Side = Annotated[int, Field(ge=8, le=512)]
Speeds = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]

# The images of each part are others: of ten, eight are for training.
_SHARES = (0.8, 0.9)


@readers.register("moving_digits")
def moving_digits(
    *,
    digits: Source = "sklearn",
    train: Clips = 1000,
    valid: Clips = 100,
    test: Clips = 200,
    frames: Count = 20,
    size: Side = 64,
    count: Annotated[int, Field(gt=0, le=64)] = 2,
    side: Side | None = None,
    speed: Speeds = [2.0, 4.0],  # noqa: B006 - never changed; the schema reads it
    seed: Annotated[int, Field(ge=0)] = 0,
) -> Dataset:
    """Makes clips of digits that move and bounce, the standard test of video prediction.

    Every epoch of a training sees new clips. The validation and the test have clips that stay the
    same, of images of digits that the training never sees: a tenth of the images each.

    Args:
        digits: The images: the 1,797 of scikit-learn, enlarged, or the 10,000 test images of
            MNIST from the data home.
        train: Clips of an epoch.
        valid: Clips of the validation.
        test: Clips of the test.
        frames: Of a clip.
        size: The side of a frame, in pixels.
        count: Digits in a clip.
        side: The side of a digit, in pixels; by default 24, of MNIST 28.
        speed: The slowest and the fastest digit, in pixels a frame.
        seed: Of the clips.

    Raises:
        DataError: If the images are missing, or the digits are larger than the frame.
        RecipeError: If the slowest is faster than the fastest.

    Example:
        >>> data = moving_digits(train=8, valid=2, test=2)
        >>> len(data.train.X), data.test.X[0].shape
        (8, (20, 64, 64))
    """
    if speed[0] > speed[1]:
        raise RecipeError(f"data.speed: expected the slowest and the fastest, got {speed}")
    images, digests = digit_images(digits, side=side)
    # Not in the order of the file, whose ends were written by other people.
    images = images[np.random.default_rng(0).permutation(len(images))]
    cuts = [round(share * len(images)) for share in _SHARES]
    train_part, valid_part, test_part = (
        MovingDigits(
            some,
            clips=clips,
            frames=frames,
            size=size,
            count=count,
            speed=(speed[0], speed[1]),
            seed=3 * seed + number,
        )
        for number, (some, clips) in enumerate(
            zip(np.split(images, cuts), (train, valid, test), strict=True)
        )
    )
    return Dataset(
        train=Part(X=train_part), valid=Part(X=valid_part), test=Part(X=test_part), files=digests
    )
