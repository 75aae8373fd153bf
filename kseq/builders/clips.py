"""What the builders for clips share."""

from __future__ import annotations

from typing import Any, Literal

from kseq.layers.patches import SpaceToDepth
from kseq.schema import Count
from kseq.spec import Spec

Patch = Count | Literal["auto"]
_PLACES = 16  # along each side of a map, that `auto` leaves


def check_clips(spec: Spec) -> None:
    """Raises unless the sequences are clips.

    Raises:
        ValueError: If they are not.
    """
    if not spec.frame:
        raise ValueError(
            "takes clips, (n, time, height, width[, channels]), but the sequences have features "
            "and no frames; choose stacked_rnn, cnn_lstm or lstm_fcn"
        )


def choose_patch(patch: int | str, spec: Spec) -> int:
    """The side of a patch; what `"auto"` stands for.

    Raises:
        ValueError: If it is larger than a frame.

    Example:
        >>> choose_patch("auto", Spec(features=1, outputs=1, frame=[64, 64], horizon=1))
        4
    """
    if isinstance(patch, int):
        if patch > min(spec.frame):
            size = " x ".join(map(str, spec.frame))
            raise ValueError(f"patch {patch} is larger than a frame of {size} pixels")
        return patch
    return next((side for side in (4, 2) if min(spec.frame) >= side * _PLACES), 1)


def folded(x: Any, patch: int, name: str) -> Any:
    """Clips whose patches are folded into channels."""
    return SpaceToDepth(patch, name=name)(x) if patch > 1 else x
