"""The bound on a model's parameters: above the true count, and near it."""

from __future__ import annotations

import pytest

from kseq.builders import build
from kseq.builders.size import parameter_bound
from kseq.errors import RecipeError
from kseq.registry import builders
from kseq.schema import fill
from kseq.spec import Spec

FIXED = Spec(features=3, outputs=2, time=12)
RAGGED = Spec(features=3, outputs=2)
AHEAD = Spec(features=3, outputs=2, time=12, horizon=5, future=4)
PER_STEP = Spec(features=3, outputs=7, per_step=True)

STREAMS = {"words": 211, "characters": 41, "prefixes": 31, "suffixes": 23, "casing": 8}
TEXT = Spec(features=0, outputs=3, streams=STREAMS, affixes=3, vectors=25)
WORDS = Spec(features=0, outputs=3, streams={"words": 211})
TAGS = Spec(features=0, outputs=30, streams=STREAMS, affixes=2, per_step=True)
CLASSES = Spec(
    features=0, outputs=5, streams={"characters": 41, "casing": 8}, per_step=True, classes=60
)

CLIPS = Spec(features=2, outputs=4, frame=[18, 33])
FRAMES = Spec(features=2, outputs=2, time=5, horizon=4, frame=[18, 33])
LINES = Spec(features=1, outputs=1, time=5, horizon=4, frame=[40])
VOLUMES = Spec(features=1, outputs=1, time=5, horizon=4, frame=[4, 5, 6])

VARIANTS = [
    {"builder": "stacked_rnn"},
    *[{"builder": "stacked_rnn", "cell": c, "units": [7, 5]} for c in ("rnn", "gru", "slstm")],
    {"builder": "stacked_rnn", "cell": "slstm", "peephole": "full", "skip": False, "units": [6, 6]},
    {
        "builder": "stacked_rnn",
        "bidirectional": True,
        "layer_norm": True,
        "residual": True,
        "readout": "attention",
        "units": [9, 4, 4],
    },
    {"builder": "stacked_rnn", "residual": True, "units": [3, 3]},
    {"builder": "stacked_rnn", "patch": 5, "units": 6},
    {"builder": "cnn_lstm"},
    {"builder": "cnn_lstm", "filters": [5, 6, 7], "kernel_size": 4, "bidirectional": True},
    {"builder": "lstm_fcn"},
    {"builder": "lstm_fcn", "cell": "slstm", "dimension_shuffle": False, "filters": [4, 5, 6]},
]
WIDE = {
    "width": 64,
    "character_width": 20,
    "character_units": 40,
    "kernel_size": 5,
    "casing_width": 5,
    "affix_width": 11,
}
EMBEDDINGS = [None, {}, WIDE, {**WIDE, "character_encoder": "lstm"}, {"frozen": True}]


def bound_and_count(model, spec) -> tuple[int, int]:
    values = {name: value for name, value in model.items() if name != "builder"}
    parameters, mistakes = fill("model", builders.get(model["builder"]), values)
    assert not mistakes
    return parameter_bound(spec, parameters), build(model, spec).count_params()


@pytest.mark.parametrize("spec", [FIXED, RAGGED, AHEAD], ids=["fixed", "ragged", "ahead"])
@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_it_is_above_the_count_and_near(model, spec):
    if "patch" in model and spec.ragged:
        model = {k: v for k, v in model.items() if k != "patch"}
    bound, count = bound_and_count(model, spec)
    assert count <= bound <= 1.6 * count


@pytest.mark.parametrize("spec", [TEXT, WORDS], ids=["text", "words"])
@pytest.mark.parametrize("embedding", EMBEDDINGS, ids=str)
@pytest.mark.parametrize("builder", ["stacked_rnn", "cnn_lstm"])
def test_of_text(builder, embedding, spec):
    model = {"builder": builder, "units": [6, 5], "embedding": embedding}
    bound, count = bound_and_count(model, spec)
    assert count <= bound <= 1.02 * count


@pytest.mark.parametrize("spec", [TAGS, CLASSES, PER_STEP], ids=["tags", "classes", "numbers"])
@pytest.mark.parametrize(
    "model",
    [
        {"builder": "bilstm_cnn_crf"},
        {"builder": "bilstm_cnn_crf", "units": 3},
        {"builder": "bilstm_cnn_crf", "units": [9, 4, 4], "dropout": 0.0},
        {"builder": "bilstm_cnn_crf", "units": [4], "decoder": "softmax"},
        {"builder": "stacked_rnn", "units": [9, 4], "bidirectional": True},
    ],
    ids=str,
)
def test_of_tags(model, spec):
    bound, count = bound_and_count(model, spec)
    assert bound == count


@pytest.mark.parametrize("spec", [FRAMES, LINES, VOLUMES], ids=["frames", "lines", "volumes"])
@pytest.mark.parametrize(
    "model",
    [
        {},
        {"filters": [5, 3], "kernel_size": 5, "peephole": "channel", "layer_norm": True},
        {"form": "next_frame", "filters": [4, 4, 2], "peephole": "diagonal", "patch": 3},
        {"reading_loss": 1.0, "filters": 5},
    ],
    ids=str,
)
def test_of_frames(model, spec):
    bound, count = bound_and_count({"builder": "conv_lstm", **model}, spec)
    assert count <= bound <= count + 8


def test_of_clips():
    model = {"builder": "conv_lstm_classifier", "filters": [5, 3], "peephole": "diagonal"}
    bound, count = bound_and_count(model, CLIPS)
    assert bound == count


@pytest.mark.parametrize("name", builders.names())
def test_it_holds_for_every_builder(name):
    taken = 0
    for spec in (
        FIXED, RAGGED, AHEAD, PER_STEP, TEXT, TAGS, CLASSES, CLIPS, FRAMES, LINES, VOLUMES,
    ):  # fmt: skip
        try:
            bound, count = bound_and_count({"builder": name}, spec)
        except RecipeError:  # another kind of target than it is for
            continue
        assert count <= bound
        taken += 1
    assert taken >= 1
