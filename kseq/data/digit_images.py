"""Images of digits: those of scikit-learn, and those of MNIST from the data home."""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

import numpy as np

from kseq.data.files import Files
from kseq.errors import DataError

Source = Literal["sklearn", "mnist"]
_MNIST = "mnist_t10k/t10k-images-idx3-ubyte.gz"


def digit_images(source: Source, *, side: int | None = None) -> tuple[np.ndarray, dict[str, str]]:
    """Images of digits to be moved.

    Args:
        source: `sklearn`, the 1,797 digits that come with scikit-learn, 8 x 8; or `mnist`, the
            10,000 test images of MNIST from the data home, 28 x 28.
        side: The side that they are enlarged to; by default 24 and 28.

    Returns:
        Bytes `(images, side, side)`, and the digests of the files read.

    Raises:
        DataError: If the file is missing or is not what it should be, or there are no such images.

    Example:
        >>> digit_images("sklearn")[0].shape
        (1797, 24, 24)
    """
    if source not in get_args(Source):
        raise DataError(f"source: expected one of {', '.join(get_args(Source))}, got {source!r}")
    files = Files()
    if source == "sklearn":
        # Not at the top: it takes half a second, which `kseq data list` would wait for.
        from sklearn.datasets import load_digits

        images = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
        digests = {"sklearn/digits": hashlib.sha256(images.tobytes()).hexdigest()}
    else:
        images, digests = _idx(files.content(_MNIST)), files.digests
    return _resized(images, {8: 24, 28: 28}[images.shape[1]] if side is None else side), digests


def _idx(content: bytes) -> np.ndarray:
    """The images of an IDX file."""
    magic, *shape = np.frombuffer(content[:16], ">i4").tolist()
    if magic != 2051 or len(content) != 16 + int(np.prod(shape)):
        raise DataError(f"{_MNIST}: not a file of images in IDX form; fetch or copy it again")
    return np.frombuffer(content, np.uint8, offset=16).reshape(shape)


def _resized(images: np.ndarray, side: int) -> np.ndarray:
    """Enlarged or made smaller, linearly between the middles of the pixels."""
    old = images.shape[1]
    if side == old:
        return images
    middles = np.clip((np.arange(side) + 0.5) * old / side - 0.5, 0, old - 1)
    below = np.minimum(np.floor(middles).astype(int), old - 2)
    share = middles - below
    mix = np.zeros((side, old))
    mix[np.arange(side), below] = 1 - share
    mix[np.arange(side), below + 1] += share
    return np.rint(mix @ images @ mix.T).astype(np.uint8)
