from __future__ import annotations

import io

import pytest
from rich.console import Console

from kseq.training import Progress


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
