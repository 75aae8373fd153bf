"""The command line. Commands are imported when they are called: `--help` loads no backend."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import click

from kseq import __version__
from kseq.cli.hush import hushed
from kseq.errors import KseqError

COMMANDS = {
    "list": ("kseq.cli.listing", "The builders, tasks and readers that a recipe can name."),
    "show": ("kseq.cli.show", "A recipe with all its defaults, and the model it makes."),
    "train": ("kseq.cli.train", "Train, score, report and publish a recipe."),
    "compare": ("kseq.cli.compare", "Train variants on the same data and compare them."),
    "tune": ("kseq.cli.tune", "Search for a better recipe."),
    "evaluate": ("kseq.cli.evaluate", "Score a saved model on test data."),
    "predict": ("kseq.cli.predict", "Predict with a saved model."),
    "explain": ("kseq.cli.explain", "Show what a saved model's answers rest on."),
    "export": ("kseq.cli.export", "Publish a saved model's SavedModel in another folder."),
    "data": ("kseq.cli.data", "List and download public data sets."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which one needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, imported now."""
        if name not in COMMANDS:
            return None
        with hushed():
            command: click.Command = importlib.import_module(COMMANDS[name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands in `--help`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kseq")
def cli() -> None:
    """From a recipe to a trained, reported and servable Keras sequence model.

    Exit codes: 0 done, 2 usage, 3 a recipe that does not hold, 4 data or an artefact that cannot
    be used, 5 a training that could not go on.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code; a user's mistake is a message on stderr."""
    # TensorFlow reports what it finds on a machine on stderr; here only errors are of interest.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # texts a terminal has no letters for
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say
            cli.main(
                args=None if argv is None else list(argv), prog_name="kseq", standalone_mode=False
            )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except KseqError as error:
        print(f"kseq: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as interruption:
        left = str(interruption) or "nothing was published"
        print(f"kseq: interrupted; {left}", file=sys.stderr)
        return 130
    except (BrokenPipeError, SystemExit):
        # `kseq list | head`. click and rich make an exit of it, the only one that they make here.
        _silence_stdout()
    return 0


def _say(message: Warning | str, category: type[Warning], *place: Any, **_: Any) -> None:
    """Shows a warning about the user's data as a message, without the line of code it came from."""
    if issubclass(category, UserWarning):
        print(f"kseq: warning: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, *place[:2]), end="", file=sys.stderr)


def _silence_stdout() -> None:
    """Sends what Python still flushes at its end nowhere: there is nobody to read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
