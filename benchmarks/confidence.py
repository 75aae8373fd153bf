"""What a tagger's probabilities and lists are worth on its test part, and whether it serves alike.

    kseq train recipes/wnut17.yaml
    python benchmarks/confidence.py saved_models/wnut17

Of an artefact that finds spans, on the test part of its own recipe:

- how far the probabilities of the spans found are from the share that is right (expected
  calibration error in ten bins), with the temperature that was fitted to the validation part, and
  without it;
- how often the gold tagging is the best one, and how often it is among the best ten;
- by how much the SavedModel differs from the estimator on real sentences, from strings and from
  tokens, alone and in batches of 32, in a process that has neither kseq nor Keras.

The result of each recipe replaces its last one in `results/confidence.json`.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

import kseq
from kseq.data.texts import as_texts
from kseq.estimators.tagger import SequenceTagger
from kseq.estimators.text_serving import token_request
from kseq.report.calibration import with_calibration
from kseq.report.facts import taggings
from kseq.run import read_data
from kseq.serving.text_endpoints import TEXT, TOKENS
from kseq.serving.verify import Case, verify
from kseq.tags import scheme_of

RESULTS = Path(__file__).parent / "results" / "confidence.json"
ODD = ["", "Bo", "x " * 500, "Ζῷον ൠ ǂ 𓀀", "😀 👨‍👩‍👧 🇩🇪", "שלום עולם", "مرحبا بالعالم"]


def calibration(tagger: SequenceTagger, X: Any, y: Any) -> dict[str, float]:
    """The calibration error of the spans, as they are and at a temperature of one.

    Args:
        tagger: A fitted tagger.
        X: Texts.
        y: Their targets.
    """
    evaluation = tagger.evaluate(X, y)
    temperature = tagger.temperature_
    found = {"f1": evaluation.metrics["f1"], "temperature": temperature}
    for name, value in (("calibrated", temperature), ("at temperature 1", 1.0)):
        tagger._tags.chain.temperature.assign(value)
        note = with_calibration(evaluation, tagger, X, y).notes["calibration"]
        found[name] = note["expected_calibration_error"]
        found["spans"] = note["answers"]
    tagger._tags.chain.temperature.assign(temperature)
    return found


def nbest(tagger: SequenceTagger, X: Any, y: Any, n: int = 10) -> dict[str, float]:
    """The share of sentences whose gold tagging is the best one, and is among the best n.

    Sentences whose gold tagging holds a span are counted beside all: the others are easy.

    Args:
        tagger: A fitted tagger.
        X: Texts.
        y: Their tags.
        n: The length of the lists.
    """
    lists = tagger.predict_nbest(X, n)
    first = np.array([found[0][0] == gold for found, gold in zip(lists, y, strict=True)])
    among = np.array(
        [gold in [tags for tags, _ in found] for found, gold in zip(lists, y, strict=True)]
    )
    spans = np.array([set(gold) != {"O"} for gold in y])
    return {
        "best": float(first.mean()),
        f"best {n}": float(among.mean()),
        "best, with spans": float(first[spans].mean()),
        f"best {n}, with spans": float(among[spans].mean()),
    }


def served(tagger: SequenceTagger, artefact: Path, sentences: list[list[str]]) -> dict[str, Any]:
    """The largest difference of the SavedModel's answers, which have to be equal otherwise."""
    tokenizer = tagger.vocabulary_.options.tokenizer
    cases = []
    for size in (1, 32):
        for start in range(0, len(sentences), size):
            some = sentences[start : start + size]
            tokens = as_texts(some, tokenizer)
            cases.append(Case(TOKENS, token_request(some), tagger._served(tokens)))
            raw = [" ".join(each) for each in some]
            answer = tagger._served(as_texts(raw, tokenizer))
            cases.append(Case(TEXT, {"text": np.array(raw, str)}, answer))
    return {
        "sentences": len(sentences),
        "requests": len(cases),
        "difference": verify(artefact, cases),
    }


def main() -> None:
    """Measures the artefacts that are named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("artefacts", nargs="+", type=Path)
    parser.add_argument("--sentences", type=int, default=500, help="that are asked of the server")
    given = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for path in given.artefacts:
        tagger = kseq.load(path)
        if not isinstance(tagger, SequenceTagger) or scheme_of(tagger.tags_.tolist()) is None:
            raise SystemExit(f"{path}: finds no spans, so that there is nothing to measure here")
        part = read_data(tagger.recipe_).test
        assert part is not None
        versions = [p for p in path.iterdir() if p.name.isdecimal()]
        newest = max(versions, key=lambda p: int(p.name), default=path)
        sentences = [*(text.split() for text in ODD), *part.X][: given.sentences]
        results[tagger.recipe_.name] = {
            "calibration": calibration(tagger, part.X, part.y),
            "nbest": nbest(tagger, part.X, taggings(part.y)),
            "served": served(tagger, newest, sentences),
        }
        print(json.dumps({tagger.recipe_.name: results[tagger.recipe_.name]}, indent=1))
    RESULTS.parent.mkdir(exist_ok=True)
    staged = RESULTS.with_suffix(".tmp")
    staged.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    os.replace(staged, RESULTS)


if __name__ == "__main__":
    main()
