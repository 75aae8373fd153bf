"""Which epoch is the best: by a score, by the loss, and when training ends for it."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from kseq.errors import RecipeError
from kseq.recipe import Recipe
from kseq.recipe.training import Training, conflicts
from kseq.training import Trainer


class Scores:
    """Gives the scores one after the other, and notes the weights that it was asked about."""

    def __init__(self, model: keras.Model, values: list[float]) -> None:
        self.model = model
        self.values = iter(values)
        self.weights: list[list[np.ndarray]] = []

    def __call__(self) -> float:
        self.weights.append(self.model.get_weights())
        return next(self.values)


def run(model, rows, scores, callbacks=(), **options):
    options = {"epochs": 5, "learning_rate": 0.1, "early_stopping": False, **options}
    loss = keras.losses.MeanSquaredError()
    config = Training(**options)
    return Trainer(model).fit(rows(), rows(2), config, loss=loss, score=scores, callbacks=callbacks)


def assert_equal(weights, others):
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([0.1, 0.5, 0.9, 0.3, 0.2], 3),
        ([0.9, 0.5, 0.1, 0.1, 0.0], 1),
        ([-3.0, -2.0, -2.5, -9.0, -2.1], 2),
        ([0.1, math.nan, 0.4, math.nan, 0.3], 3),
        ([0.0, 0.0, 0.0, 0.0, 1.0], 5),
    ],
    ids=str,
)
def test_the_epoch_with_the_best_score_is_kept(linear, rows, watch, values, best):
    model = linear()
    scores = Scores(model, values)
    outcome = run(model, rows, scores, [watch])
    assert outcome.best_epoch == best
    assert_equal(model.get_weights(), watch.epochs[best - 1])
    np.testing.assert_array_equal(outcome.history["val_score"], values)
    assert set(outcome.history) == {"loss", "val_loss", "val_score"}
    assert outcome.history["val_loss"][-1] < outcome.history["val_loss"][0]
    for asked, then in zip(scores.weights, watch.epochs, strict=True):
        assert_equal(asked, then)


def test_of_equal_scores_the_lower_loss_decides(linear, rows):
    model = linear()
    outcome = run(model, rows, Scores(model, [0.5] * 5))
    assert outcome.best_epoch == 1 + int(np.argmin(outcome.history["val_loss"])) > 1


def test_the_loss_is_watched_where_that_is_asked_for(linear, rows, watch):
    model = linear()
    scores = Scores(model, [])
    outcome = run(model, rows, scores, [watch], monitor="loss")
    assert scores.weights == [], "nobody asked"
    assert "val_score" not in outcome.history
    assert outcome.best_epoch == 1 + int(np.argmin(outcome.history["val_loss"]))


def test_without_a_score_it_is_the_loss(linear, rows):
    outcome = run(linear(), rows, None)
    assert "val_score" not in outcome.history
    assert outcome.best_epoch == 1 + int(np.argmin(outcome.history["val_loss"]))


def test_without_validation_data_nothing_is_scored(linear, rows):
    model = linear()
    scores = Scores(model, [])
    loss = keras.losses.MeanSquaredError()
    outcome = Trainer(model).fit(rows(), None, Training(epochs=2), loss=loss, score=scores)
    assert scores.weights == []
    assert outcome.best_epoch == 2


@pytest.mark.parametrize(
    ("values", "epochs", "best"),
    [
        ([0.5, 0.9, 0.1, 0.2, 0.3, 0.99], 4, 2),
        ([0.5, 0.4, 0.6, 0.5, 0.7, 0.1], 6, 5),
        ([0.5, math.nan, math.nan, 0.9, 0.9, 0.9], 3, 1),
    ],
    ids=str,
)
def test_training_ends_once_no_score_was_better(linear, rows, values, epochs, best):
    model = linear()
    outcome = run(model, rows, Scores(model, values), epochs=6, early_stopping=True, patience=2)
    assert (outcome.epochs, outcome.best_epoch) == (epochs, best)


def test_the_moving_average_is_what_is_scored_and_kept(linear, rows, watch):
    model = linear()
    scores = Scores(model, [0.1, 0.8, 0.5])
    run(model, rows, scores, [watch], epochs=3, ema=0.7)
    assert_equal(model.get_weights(), scores.weights[1])
    average = watch.batches[0]
    for weights in watch.batches[1:8]:
        average = [0.7 * a + 0.3 * w for a, w in zip(average, weights, strict=True)]
    for one, other in zip(model.get_weights(), average, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_ruined_epoch_is_not_scored(linear, rows, clock):
    model = linear()
    scores = Scores(model, [0.5, 0.4, 0.3])
    train = rows(poison=(3, 2))
    config = Training(epochs=5, learning_rate=0.1)
    loss = keras.losses.MeanSquaredError()
    outcome = Trainer(model).fit(
        train, rows(2), config, loss=loss, score=scores, callbacks=[clock(train)]
    )
    assert outcome.failure == "the loss became nan in epoch 3, batch 2"
    assert outcome.best_epoch == 1
    assert_equal(model.get_weights(), scores.weights[0])
    assert len(scores.weights) == 2


def test_callbacks_of_the_caller_see_the_score(linear, rows):
    seen = []

    class Mine(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["val_score"])

    model = linear()
    run(model, rows, Scores(model, [0.1, 0.2]), [Mine()], epochs=2, verbose=True)
    assert seen == [0.1, 0.2]


# --- the section of a recipe ---


@pytest.mark.parametrize(
    ("task", "changed", "mistakes"),
    [
        ("tagging", {}, []),
        ("tagging", {"label_smoothing": 0.1}, []),
        ("tagging", {"monitor": "loss"}, []),
        ("tagging", {"mixup": 0.2}, ["training.mixup: is for classification alone, got 0.2"]),
        (
            "tagging",
            {"loss": "huber"},
            [
                "training.loss: tagging always takes the likelihood of the tags; leave it out, "
                "got 'huber'"
            ],
        ),
        (
            "classification",
            {"loss": "mae"},
            ["training.loss: classification always takes cross-entropy; leave it out, got 'mae'"],
        ),
        (
            "forecasting",
            {"label_smoothing": 0.1},
            ["training.label_smoothing: is for classification and tagging alone, got 0.1"],
        ),
        ("regression", {"loss": "huber", "monitor": "loss"}, []),
        ("classification", {"monitor": "score"}, []),
        (
            "forecasting",
            {"monitor": "score"},
            [
                "training.monitor: 'score' is for classification and tagging alone; choose 'loss' "
                "or 'auto'"
            ],
        ),
    ],
)
def test_values_that_do_not_go_with_the_task(task, changed, mistakes):
    assert conflicts({**vars(Training()), **changed}, task) == mistakes


def test_what_is_monitored_is_one_of_three():
    given = {"task": "tagging", "training": {"monitor": "f1"}}
    with pytest.raises(
        RecipeError, match=r"training\.monitor: expected 'auto', 'loss' or 'score', got 'f1'"
    ):
        Recipe.from_dict(given).validate()
