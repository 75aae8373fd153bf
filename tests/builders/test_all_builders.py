"""What holds for every builder in the registry, with its defaults, for every kind of data."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st

from kseq.builders import build
from kseq.errors import RecipeError
from kseq.layers.crf import CRF
from kseq.losses import ChainLoss, MaskedError
from kseq.registry import builders
from kseq.spec import Spec

TEXT = {"words": 9, "characters": 7, "prefixes": 5, "suffixes": 4, "casing": 8}
SPECS = {
    "fixed": Spec(features=2, outputs=3, time=6),
    "ragged": Spec(features=2, outputs=3),
    "fixed per step": Spec(features=2, outputs=3, time=6, per_step=True),
    "ragged per step": Spec(features=2, outputs=3, per_step=True),
    "horizon": Spec(features=2, outputs=1, time=6, horizon=4),
    "horizon and future": Spec(features=2, outputs=2, time=6, horizon=4, future=3),
    "ragged horizon and future": Spec(features=2, outputs=2, horizon=4, future=3),
    "text": Spec(features=0, outputs=3, streams=TEXT, affixes=2),
    "text per step": Spec(
        features=0, outputs=3, streams=TEXT, affixes=2, per_step=True, tags=["B-x", "I-x", "O"]
    ),
    "characters, tags and classes": Spec(
        features=0, outputs=3, streams={"characters": 7}, per_step=True, classes=2
    ),
    "clips": Spec(features=2, outputs=3, time=6, frame=[6, 5]),
    "ragged clips": Spec(features=2, outputs=3, frame=[6, 5]),
    "lines": Spec(features=2, outputs=3, frame=[9]),
    "frames ahead": Spec(features=2, outputs=2, time=6, horizon=4, frame=[6, 5]),
    "volumes ahead": Spec(features=1, outputs=1, time=6, horizon=4, frame=[4, 3, 5]),
}
LENGTHS = np.array([6, 4, 1], "int32")
# A norm over the few steps of these batches magnifies the rounding of float32 tenfold.
WITH_BATCH_NORM = {"lstm_fcn"}

# Each is like two others of the kinds.
SELDOM = ("fixed per step", "ragged horizon and future", "ragged clips", "lines")

every_case = pytest.mark.parametrize(
    ("name", "spec"),
    [
        pytest.param(n, s, id=f"{n}, {k}", marks=[pytest.mark.slow] if k in SELDOM else [])
        for n in builders.names()
        for k, s in SPECS.items()
    ],
)


def built(name: str, spec: Spec) -> keras.Model:
    """The model, or a skip: some builders are for targets a step alone, and say so."""
    keras.utils.set_random_seed(3)
    try:
        return build({"builder": name}, spec)
    except RecipeError as refusal:
        pytest.skip(str(refusal))


def without_dropout(model: keras.Model) -> None:
    """Sets the rate of every dropout to 0, of those inside other layers too."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


@pytest.mark.parametrize("name", builders.names())
def test_a_builder_refuses_one_kind_of_targets_at_most(name):
    """Whatever else the data is, it takes targets a step, or targets a sequence, or both.

    And it takes clips alone, all of them with targets a clip or all with frames ahead, or none.
    """
    refused = {}
    for kind, spec in SPECS.items():
        try:
            build({"builder": name}, spec)
        except RecipeError as refusal:
            refused[kind] = str(refusal)
    steps = {kind for kind, spec in SPECS.items() if spec.per_step}
    clips = {kind for kind, spec in SPECS.items() if spec.frame}
    ahead = {kind for kind in clips if SPECS[kind].horizon}
    others = set(SPECS) - clips
    assert set(refused) in (
        clips, clips | steps, clips | (others - steps), others | ahead, others | (clips - ahead),
    )  # fmt: skip
    for why in refused.values():
        assert "choose" in why
        assert any(word in why for word in ("frames", "targets are one"))


def batch_for(spec: Spec, time: int = 6):
    """A batch of three, as a dict of arrays."""
    random = np.random.default_rng(time)
    batch = {}
    for name, count in spec.streams.items():
        last = {"characters": (4,), "prefixes": (2,), "suffixes": (2,)}.get(name, ())
        ids = random.integers(1, count, (3, time, *last)).astype("int32")
        if name == "characters":  # tokens of one to four
            ids[np.arange(4) > random.integers(0, 4, (3, time, 1))] = 0
        batch[name] = ids
    if not spec.streams:
        step = (*spec.frame, spec.features)
        batch["x"] = random.normal(size=(3, time, *step)).astype("float32")
        if spec.frame and spec.horizon:  # as many ahead as seen
            batch["future"] = random.normal(size=(3, time, *step)).astype("float32")
    if spec.ragged:
        batch["lengths"] = np.minimum(LENGTHS, time)
    if spec.future:
        batch["future"] = random.normal(size=(3, spec.horizon, spec.future)).astype("float32")
    return batch


def resized(batch, time: int):
    """The batch cut or padded, with something behind each end that is not to be seen."""
    changed = {**batch}
    for name in set(batch) - {"lengths", "future"}:
        array = batch[name]
        more = ((0, 0), (0, max(0, time - array.shape[1])), *[(0, 0)] * (array.ndim - 2))
        array = np.pad(array[:, :time], more)
        array[np.arange(time)[None] >= batch["lengths"][:, None]] = 1
        changed[name] = array
    return changed


def given(batch):
    return batch if len(batch) > 1 else batch["x"]


def answer(model: keras.Model, batch) -> dict[str, np.ndarray]:
    """The outputs by name; `scores` where there is one alone."""
    found = model(given(batch))
    found = found if isinstance(found, dict) else {"scores": found}
    return {name: keras.ops.convert_to_numpy(value) for name, value in found.items()}


def shapes_for(spec: Spec) -> dict[str, tuple[int | None, ...]]:
    if spec.classes:
        return {"tags": (None, *spec.output_shape), "classes": (None, spec.classes)}
    return {"scores": (None, *spec.output_shape)}


@every_case
def test_shapes_and_names(name, spec):
    model = built(name, spec)
    shapes = shapes_for(spec)
    assert {out.shape for out in model.outputs} == set(shapes.values())
    assert not model.compiled
    assert {i.name for i in model.inputs} == set(batch_for(spec))
    for time in (1, 6, 9):
        found = answer(model, batch_for(spec, time))
        assert set(found) == set(shapes)
        for each, out in found.items():
            expected = tuple(time if size is None else size for size in shapes[each][1:])
            assert out.shape == (3, *expected)
            assert out.dtype == np.float32
            assert np.isfinite(out).all()
    twin = built(name, spec)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    paths = [v.path for v in model.weights]
    assert [v.path for v in twin.weights] == paths
    assert len(set(paths)) == len(paths)


@every_case
def test_rows_and_padding_do_not_matter(name, spec):
    model = built(name, spec)
    batch = batch_for(spec)
    together = answer(model, batch)

    def same(found, rows):
        for each, out in found.items():
            steps = spec.ragged and shapes_for(spec)[each][1] is None
            for got, row in zip(out, rows, strict=True):
                valid = LENGTHS[row] if steps else None
                np.testing.assert_allclose(got[:valid], together[each][row][:valid], atol=1e-6)

    for row in range(3):
        one = {key: value[row : row + 1] for key, value in batch.items()}
        same(answer(model, resized(one, LENGTHS[row]) if spec.ragged else one), [row])
    for time in (6, 11) if spec.ragged else ():
        same(answer(model, resized(batch, time)), range(3))


def objective(model: keras.Model, spec: Spec, time: int = 6, lengths=LENGTHS):
    """A loss and targets for each output, none on padding; for a chain its likelihood."""
    crf = next((layer for layer in model.layers if isinstance(layer, CRF)), None)
    losses, targets = {}, {}
    for each, shape in shapes_for(spec).items():
        target = np.ones((3, *(time if size is None else size for size in shape[1:])), "float32")
        if spec.per_step and each != "classes" and spec.ragged:
            target[np.arange(time)[None] >= np.array(lengths)[:, None]] = np.nan
        losses[each] = MaskedError("mse")
        if crf is not None and each != "classes":
            target = np.where(np.isnan(target[..., 0]), -1, 1).astype("int32")
            losses[each] = ChainLoss(crf.negative_log_likelihood)
        targets[each] = target
    return (losses, targets) if spec.classes else (losses["scores"], targets["scores"])


@every_case
def test_trains_saves_and_reloads(name, spec, tmp_path):
    model = built(name, spec)
    batch = batch_for(spec)
    before = [w.copy() for w in model.get_weights()]
    loss, target = objective(model, spec)
    model.compile("sgd", loss, run_eagerly=True)
    assert np.isfinite(model.train_on_batch(given(batch), target)).all()
    after = model.get_weights()
    moved = [bool((a != b).any()) for a, b in zip(before, after, strict=True)]
    assert any(moved)
    assert all(np.isfinite(w).all() for w in after)

    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    for each, out in answer(model, batch).items():
        np.testing.assert_array_equal(answer(again, batch)[each], out)


@pytest.mark.parametrize("name", builders.names())
@pytest.mark.parametrize(
    "kind", ["ragged", "text", "ragged per step", "characters, tags and classes", "ragged clips"]
)
def test_padding_does_not_matter_in_training(name, kind):
    """Not for the loss's gradient, and not for the moving statistics either."""
    spec = SPECS[kind]
    batch = batch_for(spec)
    trained = []
    for time in (6, 10):
        model = built(name, spec)
        without_dropout(model)
        loss, target = objective(model, spec, time)
        model.compile("sgd", loss, run_eagerly=True)
        model.train_on_batch(resized(batch, time), target)
        trained.append(model.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", builders.names())
@pytest.mark.parametrize(
    "kind", ["ragged", "text", "ragged per step", "characters, tags and classes", "ragged clips"]
)
def test_padding_is_never_seen(name, kind):
    """Whatever the lengths and however much is behind them: same loss, gradient and output."""
    spec = SPECS[kind]
    if name in WITH_BATCH_NORM:
        keras.config.set_dtype_policy("float64")
    try:
        model = built(name, spec)
    finally:
        keras.config.set_dtype_policy("float32")
    without_dropout(model)
    start = model.get_weights()
    # With a step size of 1 what a weight moves by is its gradient.
    loss, _ = objective(model, spec)
    model.compile(keras.optimizers.SGD(1.0), loss, run_eagerly=True)

    def step(batch, lengths, time):
        model.set_weights(start)
        batch = {**batch, "lengths": np.array(lengths, "int32")}
        batch = resized(batch, time)
        out = answer(model, batch)
        value = model.train_on_batch(batch, objective(model, spec, time, lengths)[1])
        return out, np.ravel(value)[0], model.get_weights()

    @settings(max_examples=20, deadline=None, derandomize=True)
    @given_by(lengths=st.lists(st.integers(1, 6), min_size=3, max_size=3), more=st.integers(1, 12))
    def check(lengths, more):
        batch, time = batch_for(spec), max(lengths)
        tight, loose = (step(batch, lengths, t) for t in (time, time + more))
        np.testing.assert_allclose(loose[1], tight[1], atol=1e-6)
        for one, other, first in zip(tight[2], loose[2], start, strict=True):
            size = max(1.0, np.abs(one - first).max(initial=0))
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-6 * size)
        for each, out in tight[0].items():
            steps = shapes_for(spec)[each][1] is None
            for row, length in enumerate(lengths):
                valid = length if steps else None
                np.testing.assert_allclose(loose[0][each][row][:valid], out[row][:valid], atol=1e-6)

    check()


@pytest.mark.parametrize("name", builders.names())
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "kind", ["ragged per step", "horizon and future", "text per step", "clips", "frames ahead"]
)
def test_scores_are_float32_in_mixed_precision(name, policy, kind):
    keras.config.set_dtype_policy(policy)
    try:
        spec = SPECS[kind]
        model = built(name, spec)
        assert model.output.dtype == "float32"
        (out,) = answer(model, batch_for(spec)).values()
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
    finally:
        keras.config.set_dtype_policy("float32")
