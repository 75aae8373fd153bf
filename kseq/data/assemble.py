"""Data sets that are published in pieces, put together into one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath

from kseq.errors import DataError


def assemble(made: str, pieces: Mapping[str, bytes]) -> bytes:
    r"""The content of a file that is put together.

    Args:
        made: How: `names` or `snips`.
        pieces: The contents of the pieces by their paths, in the catalogue's order.

    Raises:
        DataError: If the pieces are not what they should be.

    Example:
        >>> assemble("names", {"Czech.txt": b"Abl\n", "Greek.txt": b"Bouras\n"})
        b'Abl\tCzech\nBouras\tGreek\n'
    """
    try:
        return {"names": _names, "snips": _snips}[made](pieces)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{', '.join(pieces)}: cannot be put together as '{made}': {error!r}"
        ) from error


def _names(pieces: Mapping[str, bytes]) -> bytes:
    """A name and its language a line, from a file of names for each language."""
    lines = [
        f"{name}\t{PurePosixPath(path).stem}\n"
        for path, content in pieces.items()
        for name in content.decode().split("\n")
        if name.strip()
    ]
    return "".join(lines).encode()


def _snips(pieces: Mapping[str, bytes]) -> bytes:
    """JSON lines of text, intent and spans, from a JSON file for each intent."""
    lines = []
    for content in pieces.values():
        # Some bytes of the published files are damaged.
        for intent, questions in json.loads(content.decode(errors="replace")).items():
            for question in questions:
                text, spans = "", []
                for piece in question["data"]:
                    if "entity" in piece:
                        end = len(text) + len(piece["text"])
                        spans.append([len(text), end, piece["entity"]])
                    text += piece["text"]
                row = {"text": text, "intent": intent, "spans": spans}
                lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines).encode()
