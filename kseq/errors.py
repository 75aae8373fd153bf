"""What can go wrong, in the words of whoever has to mend it.

Every error that a user can cause is a `KseqError`. Its message says what was wrong, where, what was
expected and what to do; `exit_code` is what the command line ends with. Any other exception that
leaves kseq is a defect of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_SHOWN = 80


def shown(value: Any) -> str:
    """A value as a message shows it: at most 80 characters on one line.

    Example:
        >>> shown("x" * 100)
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
    """
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


class KseqError(Exception):
    """The base of all errors that kseq raises on purpose."""

    exit_code = 1


class RecipeError(KseqError, ValueError):
    """A recipe that cannot be read or does not hold.

    Args:
        mistakes: All mistakes found, one sentence each, every one with its recipe path.
        source: The file they were found in, where there is one.
    """

    exit_code = 3

    def __init__(self, mistakes: str | Sequence[str], source: str | None = None) -> None:
        self.mistakes = [mistakes] if isinstance(mistakes, str) else list(mistakes)
        self.source = source
        where = f"{source}: " if source else ""
        if len(self.mistakes) == 1:
            message = where + self.mistakes[0]
        else:
            head = f"{where}{len(self.mistakes)} mistakes"
            message = "\n".join([head, *(f"  {mistake}" for mistake in self.mistakes)])
        super().__init__(message)


class DataError(KseqError, ValueError):
    """Data that cannot be read, or that no model can be fitted to or asked about."""

    exit_code = 4


class DataTypeError(DataError, TypeError):
    """Data of a type that is no number and no text, for those who expect a `TypeError` there."""


class TrainingError(KseqError, RuntimeError):
    """A training that could not go on. The last good weights are kept."""

    exit_code = 5


class ArtefactError(KseqError, ValueError):
    """A saved model that is missing, damaged, or not what its manifest says."""

    exit_code = 4


class MissingExtraError(KseqError, ImportError):
    """An optional library that is not installed.

    Args:
        what: What was asked for.
        extra: The extra of kseq that brings it.
    """

    exit_code = 2

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional library: pip install 'kseq[{extra}]'")
