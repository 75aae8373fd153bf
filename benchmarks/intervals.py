"""What prediction intervals hold on test parts, and how wide they are.

    python benchmarks/intervals.py                        # train and record
    python benchmarks/intervals.py co2 --seeds 0          # a part of it
    python benchmarks/intervals.py --table                # the README's table again

Each recipe of a forecast is trained with several seeds. Its 90 % intervals come from the validation
part, where errors are measured in standard deviations of the window that the model sees. Beside
them stand plain intervals: from the same errors of the same model, in the series' own units, so
that their width is the same for every window. What is reported is the share of the points of the
test part that lies inside, and the mean width; with several targets the mean over all of them. The
way of measuring errors was chosen on training and validation rows alone.

Every result is kept in `results/intervals.json` as soon as it is there.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

import numpy as np

import kseq
from kseq.data.windows import rows_held_out
from kseq.estimators.conformal import Calibration
from kseq.run import before_test, read_data

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results" / "intervals.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- intervals: made by benchmarks/intervals.py -->", "<!-- intervals end -->"
RECIPES = ("co2", "etth1_96")
LEVEL = 0.9


def rows(table: dict[str, np.ndarray], start: int, end: int) -> dict[str, np.ndarray]:
    """Some rows of a table of columns."""
    return {name: values[start:end] for name, values in table.items()}


def measure(name: str, seed: int) -> dict[str, Any]:
    """Trains a recipe, and looks at its intervals and at plain ones on the test part."""
    recipe = kseq.Recipe.load(ROOT / "recipes" / f"{name}.yaml").replace("seed", seed).fill()
    data = read_data(recipe)
    before, task = before_test(data), recipe.task
    whole = len(next(iter(before.values())))
    if data.valid is not None:
        cut = len(next(iter(data.train.X.values())))
    else:  # what `fit` would hold out
        fraction = recipe.training["validation_fraction"]
        cut = whole - rows_held_out(whole, fraction, task["window"], task["horizon"])
    train, valid = rows(before, 0, cut), rows(before, cut, whole)
    model = kseq.from_recipe(recipe).fit(train, validation_data=valid)
    held = model.evaluate(valid, history=train)
    plain = Calibration.of(np.abs(held.truth - held.predicted)).quantile(LEVEL)
    test = model.evaluate(data.test.X, history=before)
    note = test.notes["interval"]
    off = np.abs(test.truth - test.predicted)
    known = np.isfinite(off)
    return {
        "coverage": note["coverage"],
        "width": note["width"],
        "plain coverage": float((off <= plain)[known].mean()),
        "plain width": float(np.broadcast_to(2 * plain, off.shape)[known].mean()),
        "points": note["points"],
        "held out": int(np.isfinite(held.truth).sum()),
        "mae": test.metrics["mae"],
        "coverage by target": [each["coverage"] for each in note.get("per_target", {}).values()],
        "coverage at the first, middle and last step": [
            note["by_step"]["coverage"][step] for step in (0, off.shape[1] // 2, off.shape[1] - 1)
        ],
        "curve": note["curve"],
    }


def load() -> dict[str, Any]:
    """The results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def table() -> str:
    """The results as a Markdown table."""
    lines = [
        "| recipe | inside 90 % intervals, mean of seeds (lowest to highest) | mean width "
        "| inside plain ones | their mean width |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, seeds in load().items():
        every = {key: [one[key] for one in seeds.values()] for key in ("coverage", "width")}
        every |= {key: [one[key] for one in seeds.values()] for key in ("plain coverage",)}
        shares = [100 * share for share in every["coverage"]]
        plain = [100 * share for share in every["plain coverage"]]
        plain_width = statistics.mean(one["plain width"] for one in seeds.values())
        lines.append(
            f"| [`{name}`](recipes/{name}.yaml) | **{statistics.mean(shares):.1f} %** "
            f"({min(shares):.1f} to {max(shares):.1f}, {len(shares)} seeds) "
            f"| {statistics.mean(every['width']):.3f} "
            f"| {statistics.mean(plain):.1f} % | {plain_width:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Trains what is asked for, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipes", nargs="*", default=RECIPES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="put the table into the README")
    given = parser.parse_args()
    if given.table:
        text = README.read_text()
        before, rest = text.split(BEGIN)
        README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")
        return
    for name in given.recipes:
        for seed in given.seeds:
            found = measure(name, seed)
            results = load()
            results.setdefault(name, {})[str(seed)] = found
            RESULTS.parent.mkdir(exist_ok=True)
            staged = RESULTS.with_suffix(".tmp")
            staged.write_text(json.dumps(results, indent=1) + "\n")
            os.replace(staged, RESULTS)
            print(f"{name} seed {seed}: {json.dumps(found)}", flush=True)
    print(table())


if __name__ == "__main__":
    main()
