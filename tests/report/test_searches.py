"""Pictures of a search."""

from __future__ import annotations

import numpy as np
import pytest

from kseq.report import canvas, searches
from kseq.search.ledger import Outcome, best_of
from kseq.search.space import Entry

pytest.importorskip("matplotlib")

SPACE = {
    "model.cell": Entry("model.cell", "choice", choices=("gru", "lstm")),
    "model.units": Entry("model.units", "int", low=1, high=9, length=(1, 3)),
    "model.peephole": Entry("model.peephole", "choice", choices=("full", "diagonal")),
    "training.learning_rate": Entry("training.learning_rate", "log", low=1e-4, high=1e-1),
    "model.dropout": Entry("model.dropout", "float", low=0.0, high=0.5),
}


def trials(count=20):
    rng = np.random.default_rng(0)
    found = [Outcome(number=0, changes={}, status="done", score=0.5, elapsed=3.0)]
    for number in range(1, count):
        changes = {
            "model.cell": ["gru", "lstm"][number % 2],
            "model.units": [int(u) for u in rng.integers(1, 9, 1 + number % 3)],
            "training.learning_rate": float(10 ** rng.uniform(-4, -1)),
            "model.dropout": float(rng.uniform(0, 0.5)),
        }
        if number % 2:
            changes["model.peephole"] = "full"
        status = "failed" if number == 3 else "pruned" if number == 5 else "done"
        score = None if status == "failed" else float(rng.uniform())
        found.append(
            Outcome(
                number=number, changes=changes, status=status, score=score, elapsed=3.0 + number
            )
        )
    return found


def texts(figure):
    return " ".join(
        text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))
    )


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_every_picture_is_drawn_and_small(tmp_path, metric):
    drawn = dict(searches.pictures(SPACE, found := trials(), metric, best_of(found, metric)))
    assert set(drawn) == {"score.png", "effects.png", "parallel.png"}
    for name, figure in drawn.items():
        canvas.write(figure, tmp_path / name)
        assert 5_000 < (tmp_path / name).stat().st_size < 200_000
    score = texts(drawn["score.png"])
    assert "recipe as it stood" in score
    assert "1 failed" in score
    best = (max if metric == "accuracy" else min)(
        t.score for t in trials() if t.status == "done" and t.score is not None
    )
    assert f"{best:.4f}" in score


def test_each_path_has_a_panel_and_an_axis():
    figure = searches.effects(SPACE, trials(), "accuracy", None)
    assert [a.get_xlabel() for a in figure.axes[:5]] == [
        "model.cell",
        "model.units, summed",
        "model.peephole",
        "training.learning_rate (log scale)",
        "model.dropout",
    ]
    assert figure.axes[3].get_xscale() == "log"
    figure = searches.parallel(SPACE, trials(), "accuracy", None)
    assert len(figure.axes[0].get_lines()) == 19  # all but the one that failed


def test_the_best_so_far_never_falls():
    (axes,) = searches.score_over_time(trials(), "mae", None).axes
    line = axes.get_lines()[0]
    assert (np.diff(line.get_ydata()) <= 0).all()


def test_few_trials_and_none():
    assert dict(searches.pictures(SPACE, trials(2), "accuracy", None)).keys() == {"score.png"}
    failed = [Outcome(number=0, changes={}, status="failed")]
    assert dict(searches.pictures(SPACE, failed, "accuracy", None)) == {}
    same = [
        Outcome(number=n, changes={"model.cell": "gru"}, status="done", score=0.5, elapsed=n)
        for n in range(4)
    ]
    assert len(dict(searches.pictures(SPACE, same, "accuracy", same[0]))) == 3


def test_lists_of_text_are_no_sums():
    space = {"task.past_covariates": Entry("task.past_covariates", "choice")}
    found = [
        Outcome(number=n, changes={"task.past_covariates": [f"c{n}"]}, status="done", score=1.0)
        for n in range(12)
    ]
    assert len(dict(searches.pictures(space, found, "mae", found[0]))) == 3
