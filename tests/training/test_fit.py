from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.errors import RecipeError, TrainingError
from kseq.recipe import Recipe
from kseq.recipe.training import Training
from kseq.training import Trainer

LOSS = keras.losses.MeanSquaredError()


def run(model, train, valid=None, callbacks=(), **options):
    options = {"epochs": 3, "learning_rate": 0.1, "early_stopping": False, **options}
    return Trainer(model).fit(train, valid, Training(**options), loss=LOSS, callbacks=callbacks)


def assert_equal(weights, others):
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_outcome_tells_what_happened(linear, rows, watch):
    outcome = run(linear(), rows(), rows(2), [watch])
    assert outcome.epochs == 3
    assert set(outcome.history) == {"loss", "val_loss"}
    assert outcome.best_epoch == 1 + int(np.argmin(outcome.history["val_loss"]))
    assert outcome.seconds > 0
    assert outcome.failure is None
    outcome.raise_failure()


def test_without_validation_the_last_weights_are_kept(linear, rows, watch):
    model = linear()
    outcome = run(model, rows(), None, [watch])
    assert outcome.best_epoch == 3
    assert_equal(model.get_weights(), watch.epochs[-1])


class Wrong(keras.utils.PyDataset):
    """Validation data whose loss is lowest in the epoch with which the targets agree."""

    def __init__(self, rows, epochs):
        super().__init__()
        self.rows, self.epochs, self.epoch = rows, epochs, 1

    @property
    def num_batches(self):
        return 1

    def __len__(self):
        return 1

    def __getitem__(self, index):
        x, y = self.rows[0]
        return x, y + self.epochs[self.epoch - 1]


def test_the_weights_of_the_best_epoch_are_kept_and_training_ends_early(linear, rows, watch, clock):
    model = linear()
    valid = Wrong(rows(), [50, 40, 500, 600, 700, 800, 1])
    outcome = run(
        model,
        rows(),
        valid,
        [watch, clock(valid)],
        epochs=9,
        early_stopping=True,
        patience=2,
    )
    assert outcome.best_epoch == 2
    assert outcome.epochs == 4
    assert_equal(model.get_weights(), watch.epochs[1])


def test_without_early_stopping_all_epochs_are_run_and_the_best_weights_kept(
    linear, rows, watch, clock
):
    model = linear()
    valid = Wrong(rows(), [50, 40, 500, 600, 700])
    outcome = run(model, rows(), valid, [watch, clock(valid)], epochs=5, patience=1)
    assert (outcome.epochs, outcome.best_epoch) == (5, 2)
    assert_equal(model.get_weights(), watch.epochs[1])


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_the_learning_rate_rises_and_falls_as_asked(linear, rows, watch, schedule, warmup):
    run(linear(), rows(4), None, [watch], epochs=5, schedule=schedule, warmup=warmup)
    updates, rises = 20, round(20 * warmup)
    expected = np.full(updates, 0.1)
    step = np.arange(1, updates + 1)  # the rate is read after the update: it is the next one's
    if schedule == "cosine":
        expected = 0.05 * (1 + np.cos(np.pi * (step - rises) / (updates - rises)))
    if rises:
        expected = np.where(step < rises, 0.1 * step / rises, expected)
    np.testing.assert_allclose(watch.rates, expected, atol=1e-7)
    assert watch.rates[-1] == pytest.approx(0.0 if schedule == "cosine" else 0.1, abs=1e-7)


def test_plateau_halves_the_learning_rate_after_a_third_of_the_patience(linear, rows, watch, clock):
    valid = Wrong(rows(), [10, 20, 30, 40, 50, 60, 70])
    outcome = run(
        linear(), rows(), valid, [watch, clock(valid)], epochs=6, schedule="plateau", patience=6
    )
    by_epoch = watch.rates[3::4]
    assert by_epoch[:3] == pytest.approx([0.1, 0.1, 0.1])
    assert by_epoch[3:5] == pytest.approx([0.05, 0.05])
    assert len(outcome.history["learning_rate"]) == 6


def test_plateau_needs_a_validation_loss(linear, rows):
    with pytest.raises(RecipeError, match=r"training\.schedule: plateau .* nothing is held out"):
        run(linear(), rows(), None, schedule="plateau")


@pytest.mark.parametrize(
    ("task", "training", "message"),
    [
        ("regression", {"schedule": "plateau", "warmup": 0.1}, r"training\.warmup: .*'plateau'"),
        ("regression", {"mixup": 0.2}, r"training\.mixup: is for classification alone, got 0\.2"),
        ("regression", {"label_smoothing": 0.1}, r"training\.label_smoothing: is for class"),
        ("classification", {"loss": "mae"}, r"training\.loss: .*cross-entropy.*'mae'"),
        ("regression", {"loss": "bce"}, r"training\.loss: 'bce' is for video alone"),
        ("classification", {"loss": "bce"}, r"^training\.loss: .*cross-entropy; leave it out"),
        ("video", {"mixup": 0.2}, r"training\.mixup: is for classification alone, got 0\.2"),
        ("video", {"monitor": "score"}, r"training\.monitor: 'score' is for classification and"),
    ],
)
def test_values_that_do_not_go_together_are_a_mistake_of_the_recipe(task, training, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict({"task": task, "training": training}).validate()


def test_the_gradient_is_clipped_to_its_norm(linear, rows, watch):
    # Adam's step does not see the gradient's size, so the moments are looked at.
    def moments(clip_norm):
        model = linear()
        run(model, rows(1), None, epochs=1, clip_norm=clip_norm)
        by_path = {
            v.path.rsplit("/", 1)[-1]: keras.ops.convert_to_numpy(v)
            for v in model.optimizer.variables
        }
        parts = [v for name, v in by_path.items() if "momentum" in name]
        return np.sqrt(sum((part**2).sum() for part in parts)) / 0.1  # 1 - beta_1

    assert moments(None) > 1.0
    assert moments(0.01) == pytest.approx(0.01, rel=1e-3)


def test_weight_decay_shrinks_kernels_and_no_bias(linear, rows):
    plain, decayed = linear(), linear()
    run(plain, rows(1), None, epochs=1, learning_rate=0.01)
    run(decayed, rows(1), None, epochs=1, learning_rate=0.01, weight_decay=0.5)
    (kernel, bias), (shrunk, same) = plain.get_weights(), decayed.get_weights()
    np.testing.assert_allclose(shrunk, kernel - 0.5 * 0.01 * 0.5, atol=1e-6)
    np.testing.assert_allclose(same, bias, atol=1e-6)


def average(steps, momentum):
    """The moving average of the weights, begun after the first update."""
    result = steps[0]
    for weights in steps[1:]:
        result = [
            momentum * old + (1 - momentum) * new for old, new in zip(result, weights, strict=True)
        ]
    return result


@pytest.mark.parametrize("validated", [False, True])
def test_ema_ends_with_the_moving_average_of_the_weights(linear, rows, watch, validated):
    model = linear()
    outcome = run(model, rows(), rows(2) if validated else None, [watch], ema=0.7)
    steps = watch.batches[: 4 * outcome.best_epoch]
    for one, other in zip(model.get_weights(), average(steps, 0.7), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert not np.allclose(model.get_weights()[0], watch.batches[-1][0], rtol=1e-3)


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_loss_that_is_no_number_leaves_the_last_good_weights(
    linear, rows, watch, clock, validated, ema
):
    model = linear()
    train, valid = rows(poison=(3, 2)), rows(2) if validated else None
    outcome = run(model, train, valid, [watch, clock(train)], epochs=5, ema=ema)
    assert outcome.failure == "the loss became nan in epoch 3, batch 2"
    assert outcome.best_epoch == 2
    assert outcome.epochs == 3
    assert len(watch.batches) == 10
    if not ema:
        assert_equal(model.get_weights(), watch.epochs[1])
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    message = r"batch 2; the model keeps the weights of epoch 2\. Lower training\.learning_rate"
    with pytest.raises(TrainingError, match=message) as caught:
        outcome.raise_failure()
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("ema", [0.0, 0.5])
@pytest.mark.parametrize("validated", [False, True])
def test_a_failure_in_the_first_epoch_leaves_the_untrained_weights(
    linear, rows, clock, validated, ema
):
    model = linear()
    start = model.get_weights()
    valid = rows(2) if validated else None
    train = rows(poison=(1, 3))
    outcome = run(model, train, valid, [clock(train)], ema=ema)
    assert outcome.failure == "the loss became nan in epoch 1, batch 3"
    assert outcome.best_epoch == 0
    assert_equal(model.get_weights(), start)


def test_weights_that_are_ruined_without_a_trace_in_the_loss_are_noticed(linear, rows):
    class Ruin(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3:
                self.model.set_weights([w * np.inf for w in self.model.get_weights()])

    model = linear()
    outcome = run(model, rows(), None, [Ruin()])
    assert outcome.failure == "a weight was no longer finite after epoch 1"
    assert outcome.best_epoch == 0


def test_a_rate_far_too_high_ends_with_finite_weights(linear, rows):
    model = linear()
    outcome = run(model, rows(), None, learning_rate=1e30, epochs=50)
    assert outcome.failure
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_the_callers_callbacks_come_last_and_are_called(linear, rows, monkeypatch):
    lists = []

    class Mine(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.epochs = epoch + 1

    class Remember(keras.callbacks.CallbackList):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            lists.append([type(one).__name__ for one in self.callbacks])

    mine = Mine()
    monkeypatch.setattr(keras.callbacks, "CallbackList", Remember)
    monkeypatch.setattr(keras.src.callbacks, "CallbackList", Remember)  # that of `Model.fit`
    run(linear(), rows(), rows(2), [mine], ema=0.5, verbose=True)
    assert mine.epochs == 3
    ours = ["FiniteGuard", "BestWeights", "SwapEMAWeights", "Progress", "Mine"]
    assert [name for name in lists[0] if name != "History"] == ours


def test_an_error_in_a_callback_reaches_the_caller(linear, rows):
    class Broken(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        run(linear(), rows(), None, [Broken()], verbose=True)
