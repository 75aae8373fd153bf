from __future__ import annotations

import io

import keras
import numpy as np
import pytest
from rich.console import Console

from kseq.losses import MaskedError
from kseq.recipe import Training
from kseq.training import Progress, Trainer
from tests.training.conftest import Rows


def play(terminal: bool, epochs: int) -> str:
    """What a training of so many epochs writes."""
    out = io.StringIO()
    progress = Progress(Console(file=out, force_terminal=terminal, width=120, color_system=None))
    progress.set_params({"epochs": epochs})
    progress.on_train_begin()
    for epoch in range(epochs):
        logs = {"loss": 1 / (epoch + 1), "val_loss": 0.5, "learning_rate": 0.1}
        progress.on_epoch_end(epoch, logs)
    progress.on_train_end()
    progress.close()
    return out.getvalue()


def test_a_terminal_sees_a_bar_with_losses():
    shown = play(terminal=True, epochs=4)
    assert "4/4" in shown
    assert "loss 0.25  validation loss 0.5" in shown
    assert "learning_rate" not in shown


@pytest.mark.parametrize(("epochs", "lines"), [(1, 1), (7, 7), (20, 20), (45, 23), (1000, 20)])
def test_a_log_file_gets_some_twenty_lines(epochs, lines):
    shown = play(terminal=False, epochs=epochs).splitlines()
    assert len(shown) == lines
    assert shown[-1].startswith(f"epoch {epochs}/{epochs}  loss ")
    assert shown[-1].endswith("validation loss 0.5  0 s left")
    assert "\x1b" not in "".join(shown)


def test_closing_without_a_bar_does_nothing():
    Progress(Console(file=io.StringIO())).close()


def test_the_default_console_leaves_standard_output_alone(capsys):
    assert Progress().console.stderr


@pytest.mark.parametrize(("padding", "lines"), [(0.0, 1), (0.034, 2)])
def test_padding_is_told_once(padding, lines):
    out = io.StringIO()
    progress = Progress(Console(file=out, width=120), padding=padding)
    progress.set_params({"epochs": 1})
    progress.on_train_begin()
    progress.on_epoch_end(0, {"loss": 1.0})
    shown = out.getvalue().splitlines()
    assert len(shown) == lines
    if padding:
        assert shown[0] == "sequences of similar length together: 3.4% padding"


@pytest.mark.parametrize(
    ("seconds", "epochs", "said"),
    [
        (0.1, 1, "expected: about 0 s, 1 epoch of 0.1 s"),
        (1.16, 100, "expected: about 116 s, 100 epochs of 1.2 s"),
        (9.34, 45, "expected: about 7 min, 45 epochs of 9.3 s"),
        (None, 45, ""),
    ],
)
def test_the_time_it_will_take_is_told(seconds, epochs, said):
    out = io.StringIO()
    Progress(Console(file=out, width=120)).expect(seconds, epochs)
    assert out.getvalue().strip() == said


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_measuring_it_changes_nothing_of_the_training(dropout):
    trained, said = [], io.StringIO()
    for callbacks in ((), (Progress(Console(file=said, width=120)),)):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((3,))
        x = keras.layers.Dropout(dropout, seed=2)(inputs)
        model = keras.Model(inputs, keras.layers.Dense(1)(x))
        outcome = Trainer(model).fit(
            Rows(), Rows(2), Training(epochs=3), loss=MaskedError(), callbacks=callbacks
        )
        trained.append([np.array(outcome.history["loss"]), *model.get_weights()])
    for one, other in zip(*trained, strict=True):
        np.testing.assert_array_equal(one, other)
    assert said.getvalue().startswith("expected: about 0 s, 3 epochs of ")
