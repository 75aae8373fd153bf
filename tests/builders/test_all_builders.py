"""What holds for every builder in the registry, with its defaults, for every kind of data."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kseq.builders import build
from kseq.registry import builders
from kseq.spec import Spec

SPECS = {
    "fixed": Spec(features=2, outputs=3, time=6),
    "ragged": Spec(features=2, outputs=3),
    "fixed per step": Spec(features=2, outputs=3, time=6, per_step=True),
    "ragged per step": Spec(features=2, outputs=3, per_step=True),
    "horizon": Spec(features=2, outputs=1, time=6, horizon=4),
    "horizon and future": Spec(features=2, outputs=2, time=6, horizon=4, future=3),
    "ragged horizon and future": Spec(features=2, outputs=2, horizon=4, future=3),
}
LENGTHS = np.array([6, 4, 1], "int32")

every_case = pytest.mark.parametrize(
    ("name", "spec"),
    [pytest.param(n, s, id=f"{n}, {k}") for n in builders.names() for k, s in SPECS.items()],
)


def built(name: str, spec: Spec) -> keras.Model:
    keras.utils.set_random_seed(3)
    return build({"builder": name}, spec)


def batch_for(spec: Spec, time: int = 6):
    """A batch of three, as a dict of arrays."""
    random = np.random.default_rng(time)
    batch = {"x": random.normal(size=(3, time, spec.features)).astype("float32")}
    if spec.ragged:
        batch["lengths"] = np.minimum(LENGTHS, time)
    if spec.future:
        batch["future"] = random.normal(size=(3, spec.horizon, spec.future)).astype("float32")
    return batch


def answer(model: keras.Model, batch) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(batch if len(batch) > 1 else batch["x"]))


@every_case
def test_shapes_and_names(name, spec):
    model = built(name, spec)
    assert model.output_shape == (None, *spec.output_shape)
    assert not model.compiled
    assert {i.name for i in model.inputs} == set(batch_for(spec))
    for time in (1, 6, 9):
        out = answer(model, batch_for(spec, time))
        expected = tuple(time if size is None else size for size in spec.output_shape)
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
    for row in range(3):
        one = {key: value[row : row + 1] for key, value in batch.items()}
        if not spec.ragged:
            np.testing.assert_allclose(answer(model, one)[0], together[row], atol=1e-6)
            continue
        valid = LENGTHS[row] if spec.per_step else None
        cut = {**one, "x": one["x"][:, : LENGTHS[row]]}
        padded = {**one, "x": np.pad(one["x"], ((0, 0), (0, 5), (0, 0)), constant_values=9.0)}
        padded["x"][:, LENGTHS[row] :] = 9.0
        for other in (one, cut, padded):
            np.testing.assert_allclose(
                answer(model, other)[0][:valid], together[row][:valid], atol=1e-6
            )


@every_case
def test_trains_saves_and_reloads(name, spec, tmp_path):
    model = built(name, spec)
    batch = batch_for(spec)
    target = np.ones(answer(model, batch).shape, "float32")
    before = [w.copy() for w in model.get_weights()]
    model.compile("sgd", "mse", run_eagerly=True)
    loss = model.train_on_batch(batch if len(batch) > 1 else batch["x"], target)
    assert np.isfinite(loss)
    after = model.get_weights()
    moved = [bool((a != b).any()) for a, b in zip(before, after, strict=True)]
    assert any(moved)
    assert all(np.isfinite(w).all() for w in after)

    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(answer(again, batch), answer(model, batch))


@pytest.mark.parametrize("name", builders.names())
def test_padding_does_not_matter_in_training(name):
    """Not for the loss's gradient, and not for the moving statistics either."""
    spec = SPECS["ragged"]
    batch, target = batch_for(spec), np.ones((3, 3), "float32")
    padded = {**batch, "x": np.pad(batch["x"], ((0, 0), (0, 4), (0, 0)), constant_values=9.0)}
    trained = []
    for data in (batch, padded):
        model = built(name, spec)
        for layer in model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
        model.compile("sgd", "mse", run_eagerly=True)
        model.train_on_batch(data, target)
        trained.append(model.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", builders.names())
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_scores_are_float32_in_mixed_precision(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        for kind in ("ragged per step", "horizon and future"):
            spec = SPECS[kind]
            model = built(name, spec)
            assert model.output.dtype == "float32"
            assert answer(model, batch_for(spec)).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")
