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
    "wnut17": ("f1", "PyTorch BiLSTM-CNN-CRF .238, dictionary .000", ">= .30"),
    "uner_zh": ("f1", "PyTorch BiLSTM-CNN-CRF .654, dictionary .361", ">= .68"),
    "uner_zh_characters": ("f1", "dictionary of words .361", "> .361"),
    "ewt_pos": ("accuracy", "PyTorch BiLSTM-CNN-CRF .9512, commonest tag .8820", ">= .956"),
    "atis_pos": ("accuracy", "commonest tag .9596", "> .9596"),
    "snips_slots": ("label_accuracy", "TF-IDF and linear SVM .986", ">= .986"),
    "banking77": ("accuracy", "TF-IDF and linear SVM .915", ">= .90"),
    "names": ("accuracy", "TF-IDF and linear SVM .823", ">= .85"),
}
NAMES = {
    "mse_standardised": "MSE (standardised)",
    "mae": "MAE",
    "r2": "R²",
    "f1": "F1 of the entities",
    "label_accuracy": "accuracy of the intent",
}


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
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS")
    limit = f", TF_NUM_INTRAOP_THREADS={threads}" if threads else ""
    return f"{os.cpu_count()} cores, {model}{limit}"


def load() -> dict[str, Any]:
    """The results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def known(name: str) -> dict[str, Any]:
    """What there is of a recipe as it is now."""
    entry = load().get(name, {})
    now = digest(ROOT / "recipes" / f"{name}.yaml")
    fresh = {"recipe": now, "machine": machine(), "seeds": {}}
    return entry if entry.get("recipe") == now else fresh


def record(name: str, seed: int) -> None:
    """Trains one recipe with one seed and keeps its scores."""
    import kseq

    path = ROOT / "recipes" / f"{name}.yaml"
    if str(seed) in known(name)["seeds"]:
        return
    started = time.monotonic()
    run = kseq.train(kseq.Recipe.load(path).replace("seed", seed), output=None)
    assert run.evaluation is not None
    results = load()  # other processes write there too
    entry = results[name] = known(name)
    entry["seeds"][str(seed)] = {
        "metrics": run.evaluation.to_dict()["metrics"],
        "seconds": round(run.estimator.fit_seconds_, 1),
        "parameters": run.estimator.model_.count_params(),
    }
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
            f"| [`{name}`](recipes/{name}.yaml) | {NAMES.get(metric, metric)} "
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
