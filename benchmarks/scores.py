"""Scores of the shipped recipes on their standard test parts, over several seeds.

    python benchmarks/scores.py digits gunpoint --seeds 0 1 2   # train and record
    python benchmarks/scores.py --table                         # the README's table again

Every result is kept in `results/scores.json` as soon as it is there, so a run that was cut off goes
on where it was. A recipe that has changed since is trained again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results" / "scores.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- scores: made by benchmarks/scores.py -->", "<!-- scores end -->"

# recipe: metric, what others reach on the same test part (see README), the floor set for kseq
BARS: dict[str, tuple[str, str, str]] = {
    "digits": (
        "accuracy",
        "SVM on pixels .958, logistic regression .900, two-layer BiLSTM .89",
        ">= .95",
    ),
    "japanese_vowels": ("accuracy", "FCN .993, logistic regression .992", ">= .992"),
    "italy_power": ("accuracy", "LSTM-FCN .962, logistic regression .960", ">= .965"),
    "gunpoint": ("accuracy", "LSTM-FCN 1.000, 1-NN DTW .907", ">= .99"),
    "etth1_96": (
        "mse_standardised",
        "NLinear .374 (closed form .370), a day before .512, Informer .865",
        "<= .375",
    ),
    "sunspots": ("mae", "last value 25.44, 11 years before 27.95", "< 25.44"),
    "co2": ("mae", "last value .405, a year before 1.650", "< .405"),
    "beijing_pm25": ("r2", "mean of the training targets .00", "> 0"),
}
NAMES = {"mse_standardised": "MSE (standardised)", "mae": "MAE", "accuracy": "accuracy", "r2": "R²"}


def digest(recipe: Path) -> str:
    """A short hash of a recipe's content."""
    return hashlib.sha256(recipe.read_bytes()).hexdigest()[:12]


def machine() -> str:
    """The processor, in words."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{os.cpu_count()} cores, {model}"


def load() -> dict[str, Any]:
    """The results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def record(name: str, seed: int) -> None:
    """Trains one recipe with one seed and keeps its scores."""
    import kseq

    path = ROOT / "recipes" / f"{name}.yaml"
    results = load()
    entry = results.get(name, {})
    if entry.get("recipe") != digest(path):
        entry = {"recipe": digest(path), "machine": machine(), "seeds": {}}
    if str(seed) in entry["seeds"]:
        return
    started = time.monotonic()
    run = kseq.train(kseq.Recipe.load(path).replace("seed", seed), output=None)
    assert run.evaluation is not None
    entry["seeds"][str(seed)] = {
        "metrics": run.evaluation.to_dict()["metrics"],
        "seconds": round(run.estimator.fit_seconds_, 1),
        "parameters": run.estimator.model_.count_params(),
    }
    results[name] = entry
    RESULTS.parent.mkdir(exist_ok=True)
    staged = RESULTS.with_suffix(".tmp")
    staged.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    os.replace(staged, RESULTS)
    metric = BARS[name][0]
    score = entry["seeds"][str(seed)]["metrics"][metric]
    print(
        f"{name} seed {seed}: {metric} {score:.4f}, {time.monotonic() - started:.0f} s", flush=True
    )


def table() -> str:
    """The results as a Markdown table."""
    results = load()
    lines = [
        "| recipe | metric | kseq, mean of seeds (sd) | best | others | floor | parameters | s |",
        "|---|---|---:|---:|---|---|---:|---:|",
    ]
    for name, (metric, others, floor) in BARS.items():
        if name not in results:
            continue
        seeds = results[name]["seeds"]
        values = [one["metrics"][metric] for one in seeds.values()]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        best = min(values) if metric in ("mae", "mse_standardised") else max(values)
        digits = 2 if values[0] > 10 else 4
        first = next(iter(seeds.values()))
        seconds = statistics.mean(one["seconds"] for one in seeds.values())
        lines.append(
            f"| [`{name}`](recipes/{name}.yaml) | {NAMES[metric]} "
            f"| **{statistics.mean(values):.{digits}f}** ({spread:.{digits}f}, "
            f"{len(values)} seeds) | {best:.{digits}f} | {others} | {floor} "
            f"| {first['parameters']:,} | {seconds:.0f} |"
        )
    machines = sorted({entry["machine"] for entry in results.values()})
    return "\n".join(
        [*lines, "", f"Seconds are one training's wall time on {'; '.join(machines)}."]
    )


def write_readme() -> None:
    """Puts the table between its marks in the README."""
    text = README.read_text()
    before, rest = text.split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", help=f"by default all: {', '.join(BARS)}")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="train nothing")
    given = parser.parse_args()
    if not given.table:
        for name in given.recipes or BARS:
            for seed in given.seeds:
                record(name, seed)
    write_readme()
    print(table())


if __name__ == "__main__":
    main()
