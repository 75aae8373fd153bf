"""Answers about texts as people read them: spans marked in their sentence, labels below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from kseq.report.wording import number

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
_MOST_LABELS = 3


class Marker:
    """Writes answers about texts for the terminal.

    Args:
        console: Where they are shown. Where it has no colours, spans stand in brackets.
        types: The types of span that the model knows.

    Example:
        >>> marker = Marker(Console(color_system=None), ["person"])
        >>> span = {"label": "person", "start": 0, "end": 10, "probability": 0.93}
        >>> marker.sentence({"text": "Ana Müller left.", "spans": [span]}).plain
        '[Ana Müller person .93] left.'
    """

    def __init__(self, console: Console, types: Sequence[str]) -> None:
        self.console = console
        self.coloured = console.is_terminal and bool(console.color_system) and not console.no_color
        self.colours = {
            name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(sorted(types))
        }

    def show(self, answer: Mapping[str, Any]) -> None:
        """Prints an answer: the text, and below it what else is known of it."""
        for line in (self.sentence(answer), *self._below(answer)):
            self.console.print(line)

    def sentence(self, answer: Mapping[str, Any]) -> Text:
        """The text with its spans marked, or each token with its plain tag."""
        tokens = answer.get("tokens")
        if tokens is not None and "tags" in answer and "spans" not in answer:
            return self._tagged(tokens, answer["tags"])
        text = answer["text"] if "text" in answer else " ".join(tokens or ())
        spans = answer.get("spans", ())
        if "text" not in answer:
            spans = _in_characters(spans, tokens or ())
        return self._marked(text, spans) if text.strip() else Text("(empty)", style="dim")

    def _marked(self, text: str, spans: Sequence[Mapping[str, Any]]) -> Text:
        line, end = Text(), 0
        for span in spans:
            share = f" {probability(span['probability'])}" if "probability" in span else ""
            label, inside = span["label"], text[span["start"] : span["end"]]
            line.append(text[end : span["start"]])
            if self.coloured:
                colour = self.colours.get(label, _COLOURS[0])
                line.append(inside, style=f"bold {colour}")
                line.append(f" {label}{share}", style=f"dim {colour}")
            else:
                line.append(f"[{inside} {label}{share}]")
            end = span["end"]
        return line.append(text[end:])

    def _tagged(self, tokens: Sequence[str], tags: Sequence[str]) -> Text:
        line = Text()
        for token, tag in zip(tokens, tags, strict=True):
            line.append(" " if line else "").append(token)
            line.append(f"/{tag}", style="cyan" if self.coloured else "")
        return line if tokens else Text("(empty)", style="dim")

    def _below(self, answer: Mapping[str, Any]) -> Iterator[Text]:
        if "label" in answer:
            shares = answer.get("label_probabilities", answer["probabilities"])
            first, *others = list(shares.items())[:_MOST_LABELS]
            line = Text("  ").append(f"{first[0]} {probability(first[1])}", style="bold")
            for name, share in others:
                line.append(f"  {name} {probability(share)}")
            yield line
        if "prediction" in answer:
            names = [name for name in ("prediction", "lower", "upper") if name in answer]
            parts = [np.atleast_2d(np.asarray(answer[name])) for name in names]
            for rows in zip(*parts, strict=True) if parts[0].ndim == 2 else ():
                yield Text("  " + "  ".join(map(_bounded, *rows)))
        for tagging in answer.get("nbest", ()):
            line = Text("  ").append(f"{probability(tagging['probability']):>4}  ", style="dim")
            yield line.append(self.sentence({**_asked(answer), **tagging}))


def _bounded(value: float, *bounds: float) -> str:
    """A number, and its bounds where it has some."""
    return number(value) + (f" ({' to '.join(map(number, bounds))})" if bounds else "")


def probability(share: float) -> str:
    """A probability as short as can be.

    Example:
        >>> probability(0.934), probability(0.05), probability(0.998)
        ('.93', '.05', '1.0')
    """
    text = f"{share:.2f}"
    return "1.0" if text == "1.00" else text.removeprefix("0")


def _asked(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in ("text", "tokens") if name in answer}


def _in_characters(
    spans: Sequence[Mapping[str, Any]], tokens: Sequence[str]
) -> list[dict[str, Any]]:
    """Spans of tokens as spans of the tokens joined by blanks."""
    starts = [0, *accumulate(len(token) + 1 for token in tokens)]
    return [
        {**span, "start": starts[span["start"]], "end": starts[span["end"]] - 1} for span in spans
    ]
