"""What a search finds, how long it takes, and what it adds to the trainings themselves.

    python benchmarks/search.py                     # everything, some 25 minutes on two cores
    python benchmarks/search.py --only italy_power  # one of the two

Two searches of 20 trials: `recipes/italy_search.yaml`, and a tagger on the first 600 tweets of
WNUT17, scored on the first 300 of the validation part. Each is made

- alone, in one process;
- by two workers, in a folder of its own: the trials have to be the same;
- and, for the overhead, the recipes of all trials are trained one after the other by `fit` and
  scored by `evaluate`, in a process of their own as well.

Then the recipe as it stood and the best one are trained on the whole training part with three seeds
and scored on the test part, which no trial saw. The result is kept in `results/search.json`, and
the table is put into the README.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from scores import machine

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results" / "search.json"
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "pictures" / "search_effects.png"
BEGIN, END = "<!-- search: made by benchmarks/search.py -->", "<!-- search end -->"
SEEDS = (0, 1, 2)
METRICS = {"italy_power": "accuracy", "wnut17_slice": "f1"}
TITLES = {
    "italy_power": "`stacked_rnn` on ItalyPowerDemand, accuracy",
    "wnut17_slice": "`bilstm_cnn_crf` on 600 tweets of WNUT17, F1 of the entities",
}
# The builder with its defaults, but for the word vectors and as many epochs as a slice needs.
TAGGER: dict[str, Any] = {
    "name": "wnut17_slice",
    "task": {
        "kind": "tagging",
        "text": {"vectors": "glove_twitter_25d/glove.twitter.27B.25d.top12k.txt.gz"},
    },
    "seed": 0,
    "data": {
        "reader": "conll",
        "train": "wnut17/train.conll.gz",
        "valid": "wnut17/dev.conll.gz",
        "test": "wnut17/test.conll.gz",
    },
    "model": {"builder": "bilstm_cnn_crf"},
    "training": {"epochs": 8},
    "search": {
        "strategy": "bayesian",
        "trials": 20,
        "space": {
            "model.units": {"choice": [50, 100, 200]},
            "model.dropout": {"float": [0.2, 0.6]},
            "model.variational": {"choice": [False, True]},
            "training.learning_rate": {"log": [1e-3, 2e-2]},
            "training.batch_size": {"choice": [8, 16, 32]},
            "training.schedule": {"choice": ["constant", "cosine"]},
            "task.tune_f1": {"choice": [False, True]},
            "task.text.casing": {"choice": [False, True]},
            "task.text.affixes": {"choice": [0, 3]},
        },
    },
}
SLICE = {"train": 600, "valid": 300}


def experiment(name: str) -> tuple[Any, Any]:
    """The recipe and its data, cut to the slice."""
    from dataclasses import replace

    import kseq
    from kseq.run import read_data

    if name == "italy_power":
        recipe = kseq.Recipe.load(ROOT / "recipes" / "italy_search.yaml")
        return recipe, read_data(recipe)
    recipe = kseq.Recipe.from_dict(TAGGER)
    data = read_data(recipe)

    def cut(part: Any, count: int) -> Any:
        return replace(part, X=part.X[:count], y=part.y[:count])

    return recipe, replace(
        data, train=cut(data.train, SLICE["train"]), valid=cut(data.valid, SLICE["valid"])
    )


def search(name: str, folder: str, workers: int) -> dict[str, Any]:
    """Searches in this process; the data is read before the clock starts."""
    import kseq

    recipe, data = experiment(name)
    valid = None if data.valid is None else (data.valid.X, data.valid.y)
    started = time.perf_counter()
    found = kseq.tune(
        recipe,
        data.train.X,
        data.train.y,
        validation_data=valid,
        folder=folder,
        workers=workers,
        refit=False,
        verbose=True,
    )
    return {
        "seconds": time.perf_counter() - started,
        "best": found.best.number,
        "scores": [outcome.score for outcome in found.outcomes],
        "changes": [outcome.changes for outcome in found.outcomes],
        "twins": [outcome.twin for outcome in found.outcomes],
        "recipe": found.recipe.to_dict(),
        "metric": found.metric,
        "failed": sum(outcome.status == "failed" for outcome in found.outcomes),
    }


def one_by_one(name: str, changes: list[dict[str, Any]], twins: list[int | None]) -> dict[str, Any]:
    """Trains and scores the recipes of all trials, as a loop without a search would."""
    from kseq.data.dataset import Dataset
    from kseq.estimators.load import from_recipe
    from kseq.run import fit, score
    from kseq.search.section import read_search
    from kseq.search.space import with_changes
    from kseq.search.splits import splits

    recipe, data = experiment(name)
    plan = read_search(recipe)
    data = Dataset(train=data.train, valid=data.valid)
    parts = splits(plan.recipe.fill(), plan.settings, data)
    started = time.perf_counter()
    for change, twin in zip(changes, twins, strict=True):
        if twin is not None:
            continue
        for part in parts:
            estimator = from_recipe(with_changes(plan.recipe, change))
            fit(estimator, Dataset(train=part.train, valid=part.valid))
            score(estimator, part.scored, before=[part.train])
    return {"seconds": time.perf_counter() - started}


def test_scores(name: str, recipe: dict[str, Any]) -> dict[str, Any]:
    """The score on the test part with each seed."""
    import kseq
    from kseq.run import evaluate, fit

    _, data = experiment(name)
    found = []
    for seed in SEEDS:
        estimator = kseq.from_recipe({**recipe, "seed": seed})
        fit(estimator, data)
        evaluation = evaluate(estimator, data)
        found.append(evaluation.metrics[METRICS[name]])
    return {"scores": found}


def apart(what: str, **given: Any) -> Any:
    """Calls a function of this file in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        ask, answer = Path(folder, "ask.json"), Path(folder, "answer.json")
        ask.write_text(json.dumps({"what": what, "given": given}))
        subprocess.run([sys.executable, __file__, "--apart", str(ask), str(answer)], check=True)
        return json.loads(answer.read_text())


def measure(name: str) -> dict[str, Any]:
    """Everything about one search."""
    with tempfile.TemporaryDirectory() as folder:
        alone = apart("search", name=name, folder=f"{folder}/alone", workers=0)
        two = apart("search", name=name, folder=f"{folder}/two", workers=2)
    loop = apart("one_by_one", name=name, changes=alone["changes"], twins=alone["twins"])
    recipe, _ = experiment(name)
    before = {k: v for k, v in recipe.to_dict().items() if k != "search"}
    return {
        "default": apart("test_scores", name=name, recipe=before)["scores"],
        "found": apart("test_scores", name=name, recipe=alone["recipe"])["scores"],
        "alone": alone,
        "two": two,
        "loop": loop["seconds"],
        "same_trials": alone["changes"] == two["changes"],
        "same_scores": alone["scores"] == two["scores"],
    }


def table() -> str:
    """The README's table from what is recorded."""
    found = json.loads(RESULTS.read_text())
    lines = [
        "| search of 20 trials | as it stood, test | found, test | wall time | by 2 workers | "
        "beside the trainings alone |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, entry in found["searches"].items():
        cells = [
            f"{statistics.mean(entry[which]):.4f} ({statistics.stdev(entry[which]):.4f})"
            for which in ("default", "found")
        ]
        alone = entry["alone"]["seconds"]
        lines.append(
            f"| {TITLES[name]} | {cells[0]} | **{cells[1]}** | {alone / 60:.1f} min | "
            f"{entry['two']['seconds'] / alone:.2f} of it | {alone / entry['loop'] - 1:+.0%} |"
        )
    lines += ["", f"Mean of 3 seeds (sd). On {found['machine']}."]
    return "\n".join(lines)


def picture() -> None:
    """What each parameter did in the first search, from what is recorded."""
    from kseq.report import canvas, searches
    from kseq.search.ledger import Outcome, best_of
    from kseq.search.results import completed
    from kseq.search.section import read_search

    entry = json.loads(RESULTS.read_text())["searches"]["italy_power"]["alone"]
    plan = read_search(experiment("italy_power")[0])
    trials = [
        Outcome(number=number, changes=changes, status="done", score=score)
        for number, (changes, score) in enumerate(
            zip(entry["changes"], entry["scores"], strict=True)
        )
    ]
    shown = completed(plan, trials)
    best = best_of(shown, entry["metric"])
    canvas.write(searches.effects(plan.space.paths(), shown, entry["metric"], best), PICTURE)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(METRICS))
    parser.add_argument("--table", action="store_true", help="put the recorded result down again")
    parser.add_argument("--apart", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.apart:
        asked = json.loads(Path(options.apart[0]).read_text())
        functions = {"search": search, "one_by_one": one_by_one, "test_scores": test_scores}
        answer = functions[asked["what"]](**asked["given"])
        Path(options.apart[1]).write_text(json.dumps(answer))
        return
    if not options.table:
        there = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"searches": {}}
        for name in [options.only] if options.only else list(METRICS):
            there["searches"][name] = measure(name)
            there["machine"] = machine()
            RESULTS.write_text(json.dumps(there, indent=1) + "\n")
    print(table())
    picture()
    text = README.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}")


if __name__ == "__main__":
    main()
