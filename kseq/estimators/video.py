"""Clips to the frames that follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import keras
import numpy as np
from sklearn.utils.validation import check_is_fitted

from kseq.data.clip_batches import ClipBatches, clip_origins
from kseq.data.clips import Clips, FrameForm, as_clips
from kseq.data.moving_digits import MovingDigits
from kseq.errors import ArtefactError, DataError, RecipeError
from kseq.estimators.base import Batches, Estimator
from kseq.estimators.models import Models
from kseq.estimators.validation import draw_rows
from kseq.inference import Forward
from kseq.layers.frames_ahead import FramesAhead
from kseq.layers.scaling import Standardize
from kseq.losses import FrameError
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.video import evaluate_video
from kseq.registry import tasks
from kseq.schema import Count, Positive
from kseq.spec import Spec

_TOGETHER = 2**21  # pixels that are predicted together, or thereabouts


@tasks.register("video")
class VideoPredictor(Estimator):
    """Foretells the frames that follow those of a clip.

    Pixels are bytes, or numbers from 0 to 255, or from 0 to 1 where no pixel of the fit is larger.
    The scaling is part of the saved model, so that it takes and gives pixels as they are.

    Args:
        window: Frames that the model sees.
        horizon: Frames ahead that it is trained to foretell, and foretells where nothing else is
            asked for.
        dimensions: The sides of a frame: 2 for pictures, 1 for lines, 3 for volumes.
        stride: Frames from the start of one window to the next, in clips longer than a window and a
            horizon.
        thresholds: Values of a pixel, such as amounts of rain, for each of which the critical
            success index is scored: how well it is foretold where that value is reached.
        model: The recipe's `model` section: a builder's name and parameters.
        training: The recipe's `training` section.
        warm_start: Whether `fit` goes on from the weights of the last fit.
        random_state: Seed; the same seed on the same machine gives the same weights.

    Attributes:
        form_: What the frames are like: sides, channels, the largest value.
        history_: Losses by epoch, of pixels from 0 to 1.
        n_iter_: Epochs that were run.
        best_epoch_: The epoch whose weights were kept, counted from 1.
        model_: The Keras model that was trained: the frames seen and those ahead, to those ahead.
        servable_: The Keras model that is saved: frames to the `horizon` frames that follow.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> start = rng.integers(0, 16, 20)
        >>> clips = np.zeros((20, 8, 16, 16), np.uint8)  # (n, time, height, width)
        >>> for clip, column in zip(clips, start):  # a bar that moves to the right
        ...     for t in range(8):
        ...         clip[t, :, (column + t) % 16] = 255
        >>> video = VideoPredictor(
        ...     window=4, horizon=2, model={"filters": [8]}, training={"epochs": 2}, random_state=0
        ... )
        >>> video.fit(clips).predict(clips[:3, :4], horizon=3).shape
        (3, 3, 16, 16)
    """

    form_: FrameForm
    task: ClassVar[str] = "video"
    default_builder: ClassVar[str] = "conv_lstm"

    def __init__(
        self,
        *,
        window: Count = 10,
        horizon: Count = 10,
        dimensions: Literal[1, 2, 3] = 2,
        stride: Count = 1,
        thresholds: list[Positive] | None = None,
        model: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.window = window
        self.horizon = horizon
        self.dimensions = dimensions
        self.stride = stride
        self.thresholds = thresholds
        self.model = model
        self.training = training
        self.warm_start = warm_start
        self.random_state = random_state

    def fit(
        self,
        clips: Any,
        y: None = None,
        *,
        validation_data: Any = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> VideoPredictor:
        """Fits the predictor anew.

        Args:
            clips: `(n, time, height, width)` or `(n, time, height, width, channels)`; a list of
                clips, whose lengths may differ; a folder of clips, or a file of them (see
                `kseq.data.clip_files.read_clips`); or `MovingDigits`.
            y: Ignored; what is foretold are frames of the clips.
            validation_data: Clips that training is watched on. Without them,
                `training.validation_fraction` of the clips is held out, drawn at random; of few
                clips the end of each, where they are long enough.
            callbacks: Keras callbacks.

        Raises:
            RecipeError: If a parameter does not hold.
            DataError: If the clips do not, or are too short for a window and a horizon.
            TrainingError: If the loss stops being finite.
        """
        onward = self._goes_on()
        train, valid = self._prepare(clips, y, validation_data, onward=onward)
        kind = self._training().loss
        loss = keras.losses.BinaryCrossentropy() if kind == "bce" else FrameError(kind)
        self._fit(train, valid, loss=loss, callbacks=callbacks, onward=onward)
        return self

    def _prepare(self, X: Any, y: Any, validation_data: Any, *, onward: bool = False) -> Batches:
        recipe = self._onward() if onward else self.recipe().fill()
        task, training = recipe.task, recipe.training
        if training["loss"] == "bce" and recipe.model.get("output") != "sigmoid":
            raise RecipeError(
                "training.loss: 'bce' compares probabilities; set model.output to 'sigmoid', "
                f"got {recipe.model.get('output')!r}"
            )
        window, horizon = task["window"], task["horizon"]
        least = window + horizon
        known = self.form_ if onward else None
        clips = as_clips(X, dimensions=task["dimensions"], fitted=known, frames=least, name="clips")
        high = [value for value in task["thresholds"] or () if value > clips.form.maximum]
        if high:
            raise DataError(
                f"task.thresholds: {high[0]:g} is above the largest value of a pixel, "
                f"{clips.form.maximum:g}"
            )
        if isinstance(validation_data, tuple) and len(validation_data) == 2:
            raise DataError("validation_data: expected clips alone, got a pair")
        if validation_data is not None:
            watched = as_clips(
                validation_data,
                dimensions=task["dimensions"],
                fitted=clips.form,
                frames=least,
                name="validation clips",
            )
            learned = clip_origins(clips.lengths, window, horizon, stride=task["stride"])
            held = clip_origins(watched.lengths, window, horizon, stride=task["stride"])
        else:
            watched = clips
            fraction = training["validation_fraction"]
            learned, held = _held_out(clips, window, horizon, task["stride"], fraction, recipe.seed)
        if not onward:
            self.form_ = clips.form
            channels = clips.form.channels
            spec = Spec(
                features=channels,
                outputs=channels,
                time=window,
                horizon=horizon,
                frame=list(clips.form.sides),
            )
            self._build(recipe, spec)
            self._set_scale()
        shape = {"window": window, "horizon": horizon, "batch_size": training["batch_size"]}
        order = {"seed": recipe.seed, "epochs": self._epochs(onward)}
        train = ClipBatches(clips, learned, **shape, **order)
        return train, ClipBatches(watched, held, **shape) if len(held) else None

    def predict(self, frames: Any, *, horizon: int | None = None) -> np.ndarray:
        """The frames that follow.

        Args:
            frames: Clips of at least `window` frames, in a form that `fit` takes; the last `window`
                of each are looked at.
            horizon: How many frames to foretell; by default those the model was trained for. Each
                is made from the one before it, so there may be any number.

        Returns:
            `(n, horizon, height, width)`, or with channels where the clips have them, on the scale
            of the clips. Bytes where both these and those of the fit are from 0 to 255 and these
            are bytes, else float32.

        Raises:
            DataError: If the clips do not hold, or are not like those of the fit; or the horizon is
                no positive integer.
        """
        check_is_fitted(self)
        task = self.recipe_.task
        steps = task["horizon"] if horizon is None else horizon
        if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
            raise DataError(f"horizon: expected a positive integer, got {horizon!r}")
        clips = self._checked(frames, task["window"], "frames")
        # The place where each clip would go on.
        origins = np.stack([np.arange(len(clips)), clips.lengths], axis=1)
        batches = self._windows(clips, origins, horizon=0, steps=int(steps))
        found = np.concatenate([self._run(x, int(steps)) for x in batches])
        if clips.integers and self.form_.maximum == 255:
            found = np.rint(found).astype(np.uint8)
        return found[..., 0] if clips.flat else found

    def evaluate(self, X: Any, y: None = None) -> Evaluation:
        """Scores clips that the model has not seen, beside repeating the last frame.

        Args:
            X: Clips of at least `window` + `horizon` frames, in a form that `fit` takes.
            y: Ignored.

        Raises:
            DataError: If the clips do not hold, are too short, or are not like those of the fit.
        """
        check_is_fitted(self)
        task = self.recipe_.task
        window, horizon = task["window"], task["horizon"]
        clips = self._checked(X, window + horizon, "X")
        origins = clip_origins(clips.lengths, window, horizon, stride=task["stride"])

        def compared() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            for frames in self._windows(clips, origins, horizon=horizon, steps=horizon):
                x, truth = frames[:, :window], frames[:, window:]
                top = np.float32(self.form_.maximum)
                yield x / top, truth / top, self._run(x, horizon) / top

        return evaluate_video(
            compared(),
            maximum=self.form_.maximum,
            thresholds=task["thresholds"] or (),
            clips=len(clips),
        )

    def score(self, X: Any, y: None = None) -> float:
        """The skill: 1 - MSE / MSE of repeating the last frame. 1 is perfect, 0 as good as that.

        Of clips where nothing moves it is 1 for perfect frames and 0 otherwise.
        """
        scored = self.evaluate(X)
        mine, theirs = scored.metrics["mse"], scored.baselines["persistence"]["mse"]
        if theirs == 0:
            return float(mine == 0)
        return 1.0 - mine / theirs

    def _checked(self, X: Any, frames: int, name: str) -> Clips:
        dimensions = self.recipe_.task["dimensions"]
        return as_clips(X, dimensions=dimensions, fitted=self.form_, frames=frames, name=name)

    def _windows(
        self, clips: Clips, origins: np.ndarray, *, horizon: int, steps: int
    ) -> Iterator[np.ndarray]:
        """Whole windows, so many together as fit with the `steps` frames to be foretold."""
        window = self.recipe_.task["window"]
        size = int(np.prod(self.form_.shape)) * (window + steps)
        together = max(4, _TOGETHER // size)
        batches = ClipBatches(clips, origins, window=window, horizon=horizon, batch_size=together)
        for index in range(batches.num_batches):
            yield batches.frames(index)

    def _run(self, x: np.ndarray, horizon: int) -> np.ndarray:
        """The frames that follow `(batch, window, ..., channels)`, on the scale of the clips."""
        future = np.zeros((len(x), horizon, *self.form_.shape), np.float32)
        found: np.ndarray = self._models.parts({"x": x, "future": future})["frames"]
        return found

    # --- models and persistence ---

    def _assemble(self, network: keras.Model) -> Models:
        task, frame = self.recipe_.task, (None, *self.spec_.frame, self.spec_.features)
        x, future = keras.Input(frame, name="x"), keras.Input(frame, name="future")
        scale = Standardize(name="standardize")
        within = keras.layers.ReLU(max_value=1.0, dtype="float32", name="within")
        unscale = Standardize(invert=True, name="frames")

        def foretold(seen: Any, ahead: Any) -> Any:
            return {"frames": unscale(within(network({"x": seen, "future": ahead})))}

        both = {"x": x, "future": future}
        scores = network({"x": scale(x), "future": scale(future)})
        trainable = keras.Model(both, scores, name="trainable")
        rolling = keras.Model(both, foretold(scale(x), scale(future)), name="rolling")
        # The last frames alone: the model was trained to see so many.
        seen = scale(x[:, -task["window"] :])
        ahead = FramesAhead(task["horizon"], name="ahead")(seen)
        servable = keras.Model({"x": x}, foretold(seen, ahead), name="servable")
        return Models(network, trainable, servable, parts=Forward(rolling))

    def _set_scale(self) -> None:
        """Pixels go from 0 to 1 inside the model."""
        zero = np.zeros(self.form_.channels)
        for name in ("standardize", "frames"):
            self._models.servable.get_layer(name).set_statistics(zero, zero + self.form_.maximum)

    def _examples(self) -> list[dict[str, np.ndarray]]:
        window = self.recipe_.task["window"]
        noise = np.random.default_rng(0).random((3, window + 2, *self.form_.shape))
        frames = (noise * self.form_.maximum).astype(np.float32)
        return [{"x": frames[:, 2:]}, {"x": frames[:1]}]

    def _minimum_steps(self) -> int:
        return int(self.recipe_.task["window"])

    def _endpoints(self) -> dict[str, Any]:
        return {**super()._endpoints(), "pixels": self.form_.maximum}

    def _preprocessing(self) -> dict[str, Any]:
        return {**super()._preprocessing(), "maximum": self.form_.maximum}

    def _restore_task(
        self, preprocessing: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        try:
            spec = preprocessing["spec"]
            maximum = float(preprocessing["maximum"])
            self.form_ = FrameForm(tuple(spec["frame"]), int(spec["features"]), maximum)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"preprocessing.json: {error}") from None


def _held_out(
    clips: Clips, window: int, horizon: int, stride: int, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The windows to learn from, and those that training is watched on, which may be none."""
    every = clip_origins(clips.lengths, window, horizon, stride=stride)
    _, rows = draw_rows(len(clips), fraction, seed)
    if len(rows) or isinstance(clips.values, MovingDigits):
        chosen = np.isin(every[:, 0], rows)
        return every[~chosen], every[chosen]
    # Of few clips the end of each: what is foretold there is never learned from.
    ends = clips.lengths - np.round(fraction * clips.lengths).astype(int)
    end = ends[every[:, 0]]
    learned, held = every[every[:, 1] + horizon <= end], every[every[:, 1] >= end]
    return (learned, held) if len(learned) and len(held) else (every, every[:0])
