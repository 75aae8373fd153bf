"""The recipe `moving_digits` beside a plain Keras stack of the same size, in one run.

    python benchmarks/video.py              # some 20 minutes on two cores
    python benchmarks/video.py --updates 50 # to try it
    python benchmarks/video.py --generator  # how many clips a second are made, on one core

Keras's side is what its examples do: `ConvLSTM2D` layers that learn to predict the next frame at
every step of a clip, and foretell by being fed their own frames. It has the filters, kernels,
patches and layers of the recipe's model, as many updates with the same clips, the same schedule of
Adam's step size and clipping, and the same test.
kseq keeps the weights of the epoch that is best on the validation clips, Keras's side the last.

The result is kept in `results/video.json`, and with its picture put into the README.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scores import machine

import kseq
from kseq.data.clip_batches import ClipBatches, clip_origins
from kseq.data.clips import as_clips
from kseq.data.digit_images import digit_images
from kseq.data.moving_digits import MovingDigits
from kseq.metrics.evaluation import Evaluation
from kseq.metrics.video import evaluate_video
from kseq.report import canvas, films
from kseq.run import read_data

HERE = Path(__file__).parent
RECIPE = HERE.parent / "recipes" / "moving_digits.yaml"
RESULTS = HERE / "results" / "video.json"
README = HERE.parent / "README.md"
PICTURE = HERE.parent / "docs" / "pictures" / "moving_digits.png"
BEGIN, END = "<!-- video: made by benchmarks/video.py -->", "<!-- video end -->"
NAMES = {"kseq": "`conv_lstm`", "keras": "Keras ConvLSTM2D", "persistence": "last frame repeated"}
SHOWN = ("mse", "frame_mse", "mae", "frame_mae", "ssim", "psnr")


class Plain:
    """Keras's ConvLSTM2D layers over folded patches, from frames to the next frames."""

    def __init__(self, filters: int, kernel: int, patch: int, side: int) -> None:
        self.patch = patch
        depth = patch * patch
        inputs = keras.Input((None, side, side, depth))
        layer = keras.layers.ConvLSTM2D(filters, kernel, padding="same", return_sequences=True)
        x = layer(inputs)
        self.model = keras.Model(inputs, keras.layers.Dense(depth)(x))

    def folded(self, clips: Any) -> Any:
        """Patches as channels, `(batch, time, rows, columns, patch * patch)`."""
        batch, time, height, width, _ = clips.shape
        flat = tf.nn.space_to_depth(tf.reshape(clips, (-1, height, width, 1)), self.patch)
        return tf.reshape(flat, (batch, time, *flat.shape[1:]))

    def unfolded(self, frames: Any) -> np.ndarray:
        """The inverse."""
        batch, time, *rest = frames.shape
        flat = tf.nn.depth_to_space(tf.reshape(frames, (-1, *rest)), self.patch)
        return tf.reshape(flat, (batch, time, *flat.shape[1:])).numpy()

    def predict(self, seen: np.ndarray, horizon: int) -> np.ndarray:
        """The frames that follow, each made from all before it."""
        frames = self.folded(seen)
        for _ in range(horizon):
            following = self.model(frames, training=False)[:, -1:]
            frames = tf.concat([frames, tf.clip_by_value(following, 0.0, 1.0)], axis=1)
        return self.unfolded(frames[:, -horizon:])


def of_keras(recipe: kseq.Recipe, data: Any, updates: int) -> tuple[Evaluation, dict[str, Any]]:
    """Keras's side: trained, scored and timed."""
    task, model, training = recipe.task, recipe.model, recipe.training
    window, horizon = task["window"], task["horizon"]
    keras.utils.set_random_seed(recipe.seed)
    side = data.train.X.size // model["patch"]
    plain = Plain(model["filters"], model["kernel_size"], model["patch"], side)
    warmup = round(training["warmup"] * updates)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        updates - warmup,
        warmup_target=training["learning_rate"],
        warmup_steps=warmup,
    )
    plain.model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), "mse", jit_compile=False)
    clips = as_clips(data.train.X)
    batches = ClipBatches(
        clips,
        clip_origins(clips.lengths, window, horizon),
        window=window,
        horizon=horizon,
        batch_size=training["batch_size"],
        seed=recipe.seed,
    )
    started = time.monotonic()
    done = 0
    while done < updates:
        for index in range(min(len(batches), updates - done)):
            frames = plain.folded(np.concatenate(list(batches[index][0].values()), axis=1) / 255)
            plain.model.train_on_batch(frames[:, :-1], frames[:, 1:])
            done += 1
        batches.on_epoch_end()
    seconds = time.monotonic() - started
    test = data.test.X.draw(np.arange(len(data.test.X)))[..., None].astype("float32") / 255

    def windows() -> Any:
        for start in range(0, len(test), 50):
            some = test[start : start + 50]
            seen, truth = some[:, :window], some[:, window:]
            yield seen, truth, plain.predict(seen, horizon)

    scored = evaluate_video(windows(), maximum=255)
    return scored, {"parameters": plain.model.count_params(), "seconds": seconds}


def table() -> str:
    """The result as a Markdown table."""
    result = json.loads(RESULTS.read_text())
    ahead = range(0, len(result["kseq"]["by_step"]), 3)
    titles = ["MSE", "a frame", "of persistence", *(f"+{step + 1}" for step in ahead)]
    titles += ["SSIM", "PSNR dB", "weights", "s"]
    lines = [f"| | {' | '.join(titles)} |", f"|---|{'---:|' * len(titles)}"]
    floor = result["persistence"]["metrics"]["mse"]
    for name in ("kseq", "keras", "persistence"):
        row = result[name]
        metrics = row["metrics"]
        cells = [f"{metrics['mse']:.4f}", f"{metrics['frame_mse']:.1f}"]
        cells.append(f"{100 * metrics['mse'] / floor:.1f} %")
        cells += [f"{row['by_step'][step]:.4f}" for step in ahead]
        cells += [f"{metrics['ssim']:.3f}", f"{metrics['psnr']:.1f}"]
        cost = [f"{row['parameters']:,}", f"{row['seconds']:.0f}"] if "seconds" in row else ["", ""]
        lines.append(f"| {NAMES[name]} | {' | '.join([*cells, *cost])} |")
    what = f"{result['updates']:,} updates of 8 clips, {result['clips']} test clips"
    return "\n".join([*lines, "", f"{what}; {result['machine']}."])


def generator() -> None:
    """Prints how many clips of 20 frames of 64 x 64 with two digits are made a second of CPU."""
    clips = MovingDigits(digit_images("sklearn")[0], clips=2000)
    for batch in (8, 2000):
        started = time.process_time()
        for start in range(0, len(clips), batch):
            clips.draw(np.arange(start, start + batch))
        seconds = time.process_time() - started
        print(f"{batch} at a time: {len(clips) / seconds:,.0f} clips a second, {machine()}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, help="by default those of the recipe")
    parser.add_argument("--generator", action="store_true", help="time the making of clips alone")
    given = parser.parse_args()
    if given.generator:
        generator()
        return
    recipe = kseq.Recipe.load(RECIPE).fill()
    data = read_data(recipe)
    batch = recipe.training["batch_size"]
    if given.updates:
        recipe = recipe.replace("training.epochs", 1).replace("data.train", given.updates * batch)
        data = read_data(recipe)
    updates = recipe.training["epochs"] * -(-len(data.train.X) // batch)

    run = kseq.train(recipe, output=None)
    assert run.evaluation is not None
    mine, estimator = run.evaluation, run.estimator
    theirs, cost = of_keras(recipe, data, updates)
    result = {
        "machine": machine(),
        "updates": updates,
        "clips": len(data.test.X),
        "kseq": {
            "metrics": mine.metrics,
            "by_step": mine.by_step["model"],
            "parameters": estimator.model_.count_params(),
            "seconds": round(estimator.fit_seconds_, 1),
        },
        "keras": {
            "metrics": theirs.metrics,
            "by_step": theirs.by_step["model"],
            "parameters": cost["parameters"],
            "seconds": round(cost["seconds"], 1),
        },
        "persistence": {
            "metrics": mine.baselines["persistence"],
            "by_step": mine.by_step["persistence"],
        },
    }
    if not given.updates:
        RESULTS.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
        canvas.write(films.filmstrip(mine), PICTURE)
        text = README.read_text()
        before, rest = text.split(BEGIN)
        README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")
    print(f"{updates} updates, {result['clips']} test clips, {result['machine']}")
    for name in ("kseq", "keras", "persistence"):
        row = result[name]
        scores = "  ".join(f"{metric} {row['metrics'][metric]:.4g}" for metric in SHOWN)
        cost_of = f"  {row['parameters']:,} weights, {row['seconds']} s" if "seconds" in row else ""
        print(f"{name:12} {scores}{cost_of}")
        print(f"{'':12} MSE by lead time: {' '.join(f'{v:.4f}' for v in row['by_step'])}")


if __name__ == "__main__":
    main()
