"""Which cell: rnn, gru, lstm and slstm, one and two ways, on real sets and on made-up problems.

    python benchmarks/comparison.py                  # everything, some 40 minutes on two cores
    python benchmarks/comparison.py --only sunspots  # one of the sets

`kseq compare` on a tagging set, a classification set and a series, three seeds each, all with
`stacked_rnn`, and on the adding and the copy problem. The results are kept in
`results/comparison.json`; the tables go into the README, the pictures into `docs/pictures`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from scores import machine

from kseq.report.wording import number

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results" / "comparison.json"
README = ROOT / "README.md"
PICTURES = ROOT / "docs" / "pictures"
BEGIN, END = "<!-- comparison: made by benchmarks/comparison.py -->", "<!-- comparison end -->"
CELLS = ["rnn", "gru", "lstm", "slstm"]
WAYS = {"model.cell": CELLS, "model.bidirectional": [False, True]}
# The recipe, what is changed in it, what varies, and how many seeds.
SETS: dict[str, tuple[str, dict[str, Any], dict[str, list[Any]], int]] = {
    "atis_pos": (
        "atis_pos",
        {"model": {"builder": "stacked_rnn", "units": 64, "dropout": 0.3,
                   "embedding": {"width": 50}}},
        WAYS,
        3,
    ),
    "japanese_vowels": (
        "japanese_vowels",
        {"model": {"builder": "stacked_rnn", "units": 64, "dropout": 0.4, "noise": 0.3}},
        WAYS,
        3,
    ),
    "sunspots": ("sunspots", {}, WAYS, 3),
    "adding": ("adding", {}, {"model.cell": CELLS}, 1),
    "copy": ("copy", {}, {"data.steps": [21, 51, 101], "model.cell": CELLS}, 1),
}  # fmt: skip
# The pictures that the README shows.
SHOWN = {"atis_pos": ("comparison", "reach"), "adding": ("reach",)}
TITLES = {
    "atis_pos": "parts of speech (ATIS), accuracy",
    "japanese_vowels": "nine speakers (Japanese Vowels), accuracy",
    "sunspots": "sunspots a year ahead, MAE",
}


def measure(name: str) -> dict[str, Any]:
    """Compares, and keeps the pictures."""
    import kseq
    from kseq.comparison.comparing import run_comparison

    recipe, changes, vary, seeds = SETS[name]
    loaded = kseq.Recipe.load(ROOT / "recipes" / f"{recipe}.yaml")
    for path, value in changes.items():
        loaded = loaded.replace(path, value)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        found = run_comparison(
            loaded, vary=vary, seeds=seeds, folder=Path(folder, "kept"), verbose=True
        )
        for which in SHOWN.get(name, ()):
            shutil.copy(Path(folder, "kept", f"{which}.png"), PICTURES / f"{which}_{name}.png")
    return {
        "metric": found.metric,
        "compared": found.compared,
        "seconds": round(time.monotonic() - began, 1),
        "rows": found.records(),
    }


def table() -> str:
    """The README's tables from what is recorded."""
    found = json.loads(RESULTS.read_text())
    sets = {name: found["sets"][name] for name in TITLES}
    names = list(dict.fromkeys(row["name"] for row in sets["sunspots"]["rows"] if row["seeds"]))
    order = [f"{cell}{way}" for cell in CELLS for way in ("", ", bidirectional")]
    lines = [
        "| " + " | ".join(["", *(f"{title} | s" for title in TITLES.values())]) + " |",
        "|---|" + "---:|---:|" * len(sets),
    ]
    for name in (each for each in order if each in names):
        cells = [name]
        for entry in sets.values():
            row = next(row for row in entry["rows"] if row["name"] == name)
            cells += [_score(row, entry["metric"]), f"{row['seconds']:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    cells = ["*naive answer*"]
    for entry in sets.values():
        naive = [row for row in entry["rows"] if not row["seeds"]]
        pick = min if entry["metric"] in ("mae", "mse") else max
        best = pick(naive, key=lambda row, metric=entry["metric"]: row[metric])
        cells += [f"{number(best[entry['metric']])} ({best['name']})", ""]
    lines += [
        "| " + " | ".join(cells) + " |",
        "",
        f"Mean of 3 seeds ± their deviation; bold: not behind the best by more than noise. s: a "
        f"training. On {found['machine']}.",
        "",
        *_memory(found["sets"]),
    ]
    return "\n".join(lines)


def _score(row: dict[str, Any], metric: str) -> str:
    text = f"{number(row[metric])} ± {row['spread']:.1g}"
    return f"**{text}**" if row["noise"] or row["behind"] == 0 else text


def _reach(row: dict[str, Any]) -> str:
    return f"> {row['reach_within'] - 1}" if row["reach"] is None else f"{row['reach']:g}"


def _memory(sets: dict[str, Any]) -> list[str]:
    """Which cell still solves which lag."""
    adding, copy = sets["adding"], sets["copy"]
    steps = SETS["copy"][2]["data.steps"]
    lines = [
        "| | adding, 200 steps: MSE | reach | s | "
        + " | ".join(f"copy after {n - 1} steps: accuracy" for n in steps) + " |",
        "|---|---:|---:|---:|" + "---:|" * len(steps),
    ]  # fmt: skip
    for cell in CELLS:
        row = next(row for row in adding["rows"] if row["name"] == cell)
        cells = [cell, f"{row['mse']:.2g}", _reach(row), f"{row['seconds']:.0f}"]
        for count in steps:
            each = next(r for r in copy["rows"] if r["name"] == f"steps {count}, {cell}")
            cells.append(f"{each['accuracy']:.3f}")
        lines.append("| " + " | ".join(cells) + " |")
    naive = next(row for row in adding["rows"] if not row["seeds"])
    guesses = [
        next(r for r in copy["rows"] if not r["seeds"] and r["data.steps"] == count)["accuracy"]
        for count in steps
    ]
    cells = ["*naive answer*", f"{naive['mse']:.3f}", "", "", *(f"{g:.3f}" for g in guesses)]
    said = f"One seed; the adding problem took {adding['seconds'] / 60:.1f} minutes for all four."
    return [*lines, "| " + " | ".join(cells) + " |", "", said]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(SETS))
    parser.add_argument("--table", action="store_true", help="put the recorded result down again")
    options = parser.parse_args()
    if not options.table:
        there = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"sets": {}}
        for name in [options.only] if options.only else list(SETS):
            there["sets"][name] = measure(name)
            there["machine"] = machine()
            RESULTS.write_text(json.dumps(there, indent=1) + "\n")
    missing = [name for name in SETS if name not in json.loads(RESULTS.read_text())["sets"]]
    if missing:
        print(f"no table before there are results of {', '.join(missing)}")
        return
    print(table())
    text = README.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}")


if __name__ == "__main__":
    main()
