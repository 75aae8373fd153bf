"""`kseq predict` for video: clips in, the frames that follow out."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from kseq.cli.options import console, writing
from kseq.data.clips import as_clips
from kseq.data.home import locate
from kseq.errors import DataError
from kseq.estimators.video import VideoPredictor
from kseq.metrics.evaluation import counted
from kseq.report.canvas import write_animation


def foretell(estimator: VideoPredictor, file: str, horizon: int | None, output: str | None) -> None:
    """Writes the frames that follow the clips in a file or folder.

    Args:
        estimator: The fitted model.
        file: What to read.
        horizon: How many frames to foretell; None for as many as the model was trained to.
        output: Where to: an archive `.npz`, or for one clip an animation `.gif`.

    Raises:
        click.UsageError: If it is no place for frames.
        DataError: If the clips do not hold.
    """
    ending = Path(output).suffix.lower() if output else None
    if output is None or ending not in (".npz", ".gif"):
        raise click.UsageError("--output: frames are written to a file ending in .npz or .gif")
    path = locate(file, folders=True)
    clips = as_clips(path, dimensions=estimator.dimensions, fitted=estimator.form_)
    if ending == ".gif" and len(clips) > 1:
        raise click.UsageError(
            f"--output {output}: an animation shows one clip, but {file} holds {len(clips)}; "
            "choose a file ending in .npz"
        )
    frames = estimator.predict(clips, horizon=horizon)
    with writing("--output", output) as place:
        if ending == ".gif":
            write_animation(_bytes(frames[0], estimator), place)
        else:
            with place.open("wb") as archive:  # savez would add an ending of its own
                np.savez_compressed(archive, clips=frames, names=np.array(clips.names))
    out = console(stderr=True)
    each = f"{counted(frames.shape[1], 'frame')} each"
    out.print(f"{counted(len(clips), 'clip')}, {each}: {output}")


def _bytes(frames: np.ndarray, estimator: VideoPredictor) -> np.ndarray:
    """Frames as an animation shows them, `(time, height, width, 1 or 3)`."""
    form = estimator.form_
    if len(form.sides) != 2 or form.channels not in (1, 3):
        raise DataError(
            f"an animation shows planes of 1 or 3 channels, but frames are {form.shape}; write .npz"
        )
    if frames.dtype != np.uint8:
        frames = np.rint(frames * (255 / form.maximum)).astype(np.uint8)
    return frames.reshape(-1, *form.shape)
