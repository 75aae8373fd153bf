"""The recurrent layers are those of Keras: the same outputs, gradients, weights and configuration.

Whatever way is taken: each unit compiled, and the LSTM as the operation that saved models have.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kseq.builders.recurrence import CELLS as LAYERS
from kseq.layers import LSTM, SLSTM, compiled
from kseq.layers.compiled import compiled_for

BATCH, TIME, FEATURES, UNITS = 4, 6, 3, 5
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
MASKS = {
    "none": None,
    "full": [6, 6, 6, 6],
    "padded": [3, 6, 1, 5],
    "padded everywhere": [3, 2, 1, 3],
    "empty rows": [0, 6, 0, 2],
    "all empty": [0, 0, 0, 0],
}


def mask_of(case: str, time: int = TIME) -> np.ndarray | None:
    lengths = MASKS[case]
    return None if lengths is None else np.arange(time)[None] < np.array(lengths)[:, None]


def make_x(time: int = TIME) -> np.ndarray:
    return np.random.default_rng(time).normal(size=(BATCH, time, FEATURES)).astype("float32")


@keras.saving.register_keras_serializable("tests")
class PlainSLSTM(SLSTM):
    """The loop of Keras, whose results `test_slstm.py` checks against the equations."""

    def _way(self, ragged):
        return None


PLAIN = {
    "rnn": keras.layers.SimpleRNN,
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
    "slstm": PlainSLSTM,
}
UNIT = {"unit": "lstm", "compiled": False}  # of the test that runs


SLOW_WAYS = [pytest.param(unit, marks=pytest.mark.slow) for unit in ("lstm", "gru", "rnn", "slstm")]


@pytest.fixture(params=["lstm, saved", *SLOW_WAYS])
def each_way(request, monkeypatch):
    """Runs a test with each unit, compiled, and with the LSTM as it is saved."""
    unit, *saved = request.param.split(", ")
    monkeypatch.setitem(UNIT, "unit", unit)
    if saved:
        yield
        return
    monkeypatch.setitem(UNIT, "compiled", True)
    monkeypatch.setattr(compiled, "NARROWEST", 1)
    with compiled_for("training"):
        yield


def pair(wrap=lambda layer: layer, **options):
    """A plain layer and ours, with the same random weights."""
    layers = []
    for kinds in (PLAIN, LAYERS):
        layer = wrap(kinds[UNIT["unit"]](UNITS, **options))
        layer.build((None, None, FEATURES))
        random = np.random.default_rng(1)
        layer.set_weights([random.normal(scale=0.7, size=w.shape) for w in layer.weights])
        layers.append(layer)
    inner = getattr(layer, "forward_layer", layer)
    with tf.Graph().as_default():
        assert inner._way(ragged=False) is not None
    return layers


def answers(layer, x, mask, initial=()) -> list[np.ndarray]:
    """What it gives, and the gradients with respect to input, first states and all weights."""

    def run(x, initial):
        with tf.GradientTape() as tape:
            tape.watch([x, *initial])
            out = tf.nest.flatten(layer(x, mask=mask, initial_state=initial or None))
            random = np.random.default_rng(2)
            picks = [random.normal(size=(*x.shape[:1], *each.shape[1:])) for each in out]
            loss = tf.add_n(
                [
                    tf.reduce_sum(tf.sin(each) * pick.astype("float32"))
                    for each, pick in zip(out, picks, strict=True)
                ]
            )
        sources = [x, *initial, *(w.value for w in layer.trainable_weights)]
        return [*out, *tape.gradient(loss, sources)]

    if UNIT["compiled"] and type(getattr(layer, "forward_layer", layer)) in LAYERS.values():
        run = tf.function(run, autograph=False)
    found = run(tf.constant(x), [tf.constant(state) for state in initial])
    return [each.numpy() for each in found]


def assert_same(layers, x, mask, initial=()) -> None:
    plain, ours = (answers(layer, x, mask, initial) for layer in layers)
    assert len(plain) == len(ours)
    for expected, got in zip(plain, ours, strict=True):
        np.testing.assert_allclose(got, expected, **TOLERANCE)


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("case", MASKS)
def test_outputs_and_gradients(each_way, case, go_backwards, return_sequences):
    layers = pair(go_backwards=go_backwards, return_sequences=return_sequences)
    assert_same(layers, make_x(), mask_of(case))


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("merge", ["concat", None])
@pytest.mark.parametrize("case", ["none", "padded", "empty rows"])
def test_inside_bidirectional(each_way, case, merge, return_sequences):
    def both_ways(layer):
        return keras.layers.Bidirectional(layer, merge_mode=merge)

    layers = pair(both_ways, return_sequences=return_sequences)
    for each in (layers[1].forward_layer, layers[1].backward_layer):
        assert type(each) is LAYERS[UNIT["unit"]]
    if merge is None:
        plain, ours = (each(make_x(), mask=mask_of(case)) for each in layers)
        for expected, got in zip(plain, ours, strict=True):
            np.testing.assert_allclose(got, expected, **TOLERANCE)
    else:
        assert_same(layers, make_x(), mask_of(case))


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("case", ["none", "padded", "padded everywhere", "empty rows"])
def test_zero_output_for_mask(each_way, case, go_backwards):
    layers = pair(return_sequences=True, zero_output_for_mask=True, go_backwards=go_backwards)
    assert_same(layers, make_x(), mask_of(case))


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_a_single_step(each_way, masked, return_sequences):
    mask = np.array([[True], [False], [True], [True]]) if masked else None
    assert_same(pair(return_sequences=return_sequences), make_x(1), mask)


@pytest.mark.parametrize("block", [1, 2, 3, 4, 16, None])
@pytest.mark.parametrize("case", ["none", "padded", "empty rows"])
def test_rows_do_not_depend_on_their_block(case, block):
    plain, ours = pair(return_sequences=True)
    ours.block = block
    assert_same((plain, ours), make_x(), mask_of(case))


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("case", ["none", "padded", "empty rows"])
def test_states(each_way, case, return_sequences, go_backwards):
    """Given, and returned."""
    options = {"return_sequences": return_sequences, "go_backwards": go_backwards}
    random = np.random.default_rng(4)
    states = 2 if "lstm" in UNIT["unit"] else 1
    initial = [random.normal(size=(BATCH, UNITS)).astype("float32") for _ in range(states)]
    assert_same(pair(return_state=True, **options), make_x(), mask_of(case), initial)


@pytest.mark.parametrize("unit", ["lstm", "gru", "rnn", "slstm"])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_each_unit_compiled(monkeypatch, unit, go_backwards):
    """The slow tests have all of it."""
    monkeypatch.setattr(compiled, "NARROWEST", 1)
    for name, value in (("unit", unit), ("compiled", True)):
        monkeypatch.setitem(UNIT, name, value)
    with compiled_for("training"):
        layers = pair(return_sequences=True, go_backwards=go_backwards)
        assert_same(layers, make_x(), mask_of("empty rows"))


@pytest.mark.parametrize("rows", [1, 5, 16, 17, 37])
@pytest.mark.parametrize("time", [1, 4, 9])
def test_any_size(each_way, rows, time):
    x = np.random.default_rng(3).normal(size=(rows, time, FEATURES)).astype("float32")
    lengths = np.random.default_rng(4).integers(0, time, size=(rows, 1), endpoint=True)
    assert_same(pair(return_sequences=True), x, np.arange(time)[None] < lengths)


@pytest.mark.parametrize(
    "unit",
    ["lstm", *(pytest.param(unit, marks=pytest.mark.slow) for unit in ("gru", "rnn", "slstm"))],
)
def test_loops_for_prediction(unit):
    """They agree with those of training, and a row is the same to the last bit in any batch.

    That is, if rows are filled up to a multiple of four, as `kseq.inference` does.
    """
    x = np.random.default_rng(3).normal(size=(40, 9, FEATURES)).astype("float32")
    layer = LAYERS[unit](compiled.NARROWEST, return_sequences=True)
    results = []
    for purpose in ("training", "prediction"):

        def call(x, purpose=purpose):
            with compiled_for(purpose):
                return layer(x)

        call = tf.function(
            call, input_signature=[tf.TensorSpec((None, None, FEATURES))], autograph=False
        )
        results.append(call(x).numpy())
    np.testing.assert_allclose(results[1], results[0], atol=1e-6)
    for rows in (4, 8, 12, 20):
        np.testing.assert_array_equal(call(x[:rows]), results[1][:rows])


RAGGED = [8, 8, 8, 16, 24, 48, 48, 48, 128, 128, 128, 192, 2048]
EQUAL = [8, 8, 8, 16, 18, 36, 40, 44, 104, 104, 128, 144, 1664]


def test_nothing_is_compiled_for_every_number_of_steps():
    times = [1, 4, 5, 16, 17, 33, 40, 41, 99, 100, 128, 129, 1600]
    for ragged, expected in {True: RAGGED, False: EQUAL}.items():
        filled = [int(compiled._filled(tf.constant(time), ragged)) for time in times]
        assert filled == expected


def test_narrow_layers_are_not_compiled():
    for unit in ("gru", "rnn", "slstm"):
        with compiled_for("training"), tf.Graph().as_default():
            layer = LAYERS[unit](compiled.NARROWEST - 1)
            assert layer.slow_because == "it has less than 32 units"
            assert layer._way(ragged=False) is None
            assert LAYERS[unit](compiled.NARROWEST)._way(ragged=True) is not None
        with compiled_for("prediction"), tf.Graph().as_default():
            assert LAYERS[unit](compiled.NARROWEST)._way(ragged=True) is None
            assert LAYERS[unit](compiled.NARROWEST)._way(ragged=False) is not None
        assert LAYERS[unit](compiled.NARROWEST)._way(ragged=False) is None


def test_a_single_row():
    x, mask = make_x()[:1], mask_of("padded")[:1]
    assert_same(pair(return_sequences=True), x, mask)


@pytest.mark.parametrize(
    "options",
    [{"unit_forget_bias": False}, {"kernel_regularizer": "l2"}, {"seed": 3}],
    ids=str,
)
def test_other_options_that_stay_fast(options):
    layers = pair(**options)
    assert layers[1].slow_because is None
    assert_same(layers, make_x(), mask_of("padded"))


def test_gradient_is_the_numerical_one():
    """In float32, by the average of two ways through each weight."""
    _, ours = pair(return_sequences=True)
    x, mask = make_x(), mask_of("padded")
    gradients = answers(ours, x, mask)[2:]

    def loss() -> float:
        out = ours(x, mask=mask).numpy().astype(float)
        pick = np.random.default_rng(2).normal(size=out.shape).astype("float32")
        return float((np.sin(out) * pick).sum())

    for weight, gradient in zip(ours.trainable_weights, gradients, strict=True):
        start, step = weight.numpy(), 1e-2
        for index in list(np.ndindex(start.shape))[::17]:
            values = []
            for sign in (1, -1):
                moved = start.copy()
                moved[index] += sign * step
                weight.assign(moved)
                values.append(loss())
            weight.assign(start)
            assert gradient[index] == pytest.approx(
                (values[0] - values[1]) / (2 * step), abs=3e-3, rel=3e-3
            )


def test_what_padding_holds_does_not_matter(each_way):
    _, ours = pair(return_sequences=True)
    mask, x = mask_of("padded"), make_x()
    spoilt = np.where(mask[:, :, None], x, 99.0).astype("float32")
    for expected, got in zip(answers(ours, x, mask), answers(ours, spoilt, mask), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_extreme_values_stay_finite(each_way):
    _, ours = pair(return_sequences=True)
    for each in answers(ours, make_x() * 1e4, None):
        assert np.isfinite(each).all()


# --- what is left to Keras ---


SLOW = {
    "recurrent_dropout": ({"recurrent_dropout": 0.2}, "of recurrent_dropout"),
    "dropout": ({"dropout": 0.2}, "of dropout inside the layer"),
    "unroll": ({"unroll": True}, "it is unrolled"),
    "activation": ({"activation": "relu"}, "of its activations"),
    "gates": ({"recurrent_activation": "hard_sigmoid"}, "of its activations"),
    "bias": ({"use_bias": False}, "it has no bias"),
    "float64": ({"dtype": "float64"}, "it computes in float64"),
    "float16": ({"dtype": "mixed_float16"}, "it computes in float16"),
    "bfloat16": ({"dtype": "mixed_bfloat16"}, "it computes in bfloat16"),
}


@pytest.mark.parametrize("case", SLOW)
def test_everything_else_is_left_to_keras(case):
    options, reason = SLOW[case]
    results = []
    for make in (keras.layers.LSTM, LSTM):
        layer = make(UNITS, **{"seed": 5, **options})
        layer.build((BATCH, TIME, FEATURES))
        random = np.random.default_rng(1)
        layer.set_weights([random.normal(scale=0.5, size=w.shape) for w in layer.weights[:3]])
        out = layer(make_x(), mask=mask_of("padded"), training=True)
        results.append([keras.ops.convert_to_numpy(keras.ops.cast(out, "float32"))])
    assert layer.slow_because == reason
    assert layer.supports_jit
    for expected, got in zip(*results, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_gpu_is_left_to_keras(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    layer = LSTM(UNITS)
    assert layer.slow_because == "there is a GPU, which has faster ways"
    assert layer.supports_jit == keras.layers.LSTM(UNITS).supports_jit


# --- a layer like others ---


def test_configuration_and_weights_are_those_of_keras():
    options = {"return_sequences": True, "go_backwards": True, "seed": 3, "name": "memory"}
    plain, ours = keras.layers.LSTM(UNITS, **options), LSTM(UNITS, **options)
    assert ours.get_config() == {**plain.get_config(), "block": 16}
    assert LSTM.from_config(ours.get_config()).get_config() == ours.get_config()
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(ours))
    assert type(revived) is LSTM
    assert revived.get_config() == ours.get_config()
    for layer in (plain, ours):
        layer.build((None, None, FEATURES))
    for one, other in ((plain, ours), (ours, plain)):
        weights = [np.random.default_rng(1).normal(size=w.shape) for w in one.weights]
        one.set_weights(weights)
        other.set_weights(one.get_weights())
        np.testing.assert_allclose(other(make_x()), one(make_x()), **TOLERANCE)


def test_it_starts_as_keras_does():
    keras.utils.set_random_seed(1)
    plain = keras.layers.LSTM(UNITS)
    plain.build((None, None, FEATURES))
    keras.utils.set_random_seed(1)
    ours = LSTM(UNITS)
    ours.build((None, None, FEATURES))
    for one, other in zip(plain.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def model_of(make) -> keras.Model:
    keras.utils.set_random_seed(2)
    x = keras.Input((None, FEATURES), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    steps = make(UNITS, return_sequences=True, name="steps")(x, mask=mask)
    last = make(3, go_backwards=True, name="last")(steps, mask=mask)
    return keras.Model({"x": x, "mask": mask}, {"last": last, "steps": steps})


BATCHED = {"x": make_x(), "mask": mask_of("padded")}


@pytest.mark.slow
def test_it_learns_as_keras_does():
    x, losses = np.where(mask_of("padded")[:, :, None], make_x(), 0.0), []
    for make in (keras.layers.LSTM, LSTM):
        keras.utils.set_random_seed(2)
        layers = [keras.Input((None, FEATURES)), keras.layers.Masking(), make(UNITS)]
        model = keras.Sequential(layers)
        # Ours in a graph; Keras' loop takes long to trace, and is the same eagerly.
        eagerly = make is keras.layers.LSTM
        model.compile(keras.optimizers.Adam(0.05), "mse", run_eagerly=eagerly)
        fitted = model.fit(x, np.ones((BATCH, UNITS)), epochs=8, verbose=0)
        losses.append(fitted.history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    assert losses[1][-1] < 0.8 * losses[1][0]


def test_a_model_that_asks_for_xla_goes_without():
    x = keras.Input((None, FEATURES))
    model = keras.Model(x, LSTM(2)(x))
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        model.compile("sgd", "mse", jit_compile=True)
    assert np.isfinite(model.train_on_batch(make_x(), np.ones((BATCH, 2))))


def test_saved_and_reloaded(tmp_path):
    model = model_of(LSTM)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.get_layer("steps"), LSTM)
    for name, value in again(BATCHED).items():
        np.testing.assert_array_equal(value, model(BATCHED)[name])


@pytest.mark.slow
def test_exported_as_a_graph_of_any_size(tmp_path):
    model = model_of(LSTM)
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    graph = served.signatures["serve"].graph.as_graph_def()
    nodes = {node.op for function in graph.library.function for node in function.node_def}
    assert "BlockLSTMV2" in nodes
    assert not any("PyFunc" in op for op in nodes)
    for rows, time in ((4, 6), (1, 1), (2, 9)):
        x = np.ones((rows, time, FEATURES), "float32")
        mask = np.arange(time)[None] < np.arange(1, rows + 1)[:, None]
        expected = model({"x": x, "mask": mask})
        got = served.serve({"x": x, "mask": mask})
        for name, value in got.items():
            np.testing.assert_allclose(value, expected[name], atol=1e-6)


def test_shapes_are_known_before_it_runs():
    x = keras.Input((None, FEATURES))
    for options, shape in (({}, (None, UNITS)), ({"return_sequences": True}, (None, None, UNITS))):
        assert LSTM(UNITS, **options)(x).shape == shape
        assert tuple(LSTM(UNITS, **options)(make_x()).shape)[-1] == UNITS


SCRIPT = """
import sys
import numpy as np
import keras
from kseq.builders.recurrence import CELLS
assert keras.backend.backend() == sys.argv[2]
case = np.load(sys.argv[1])
x, mask = (keras.ops.convert_to_tensor(case[name]) for name in ("x", "mask"))
for unit in ("rnn", "gru", "lstm", "slstm"):
    for backwards in (False, True):
        options = {"peephole": None} if unit == "slstm" else {}
        layer = CELLS[unit](5, return_sequences=True, go_backwards=backwards, **options)
        fast = sys.argv[2] == "torch"
        assert layer.slow_because == (None if fast else "the backend is jax")
        layer.build((None, None, 3))
        key = f"{unit} {backwards} "
        layer.set_weights([case[f"{key}w{n}"] for n in range(len(layer.weights))])
        for name, given in (("y", None), ("masked", mask)):
            got = layer(x, mask=given)
            np.testing.assert_allclose(
                keras.ops.convert_to_numpy(got), case[key + name], atol=1e-5, err_msg=key + name
            )
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    x, mask = make_x(), mask_of("padded")
    case = {"x": x, "mask": mask}
    for unit, backwards in itertools.product(PLAIN, (False, True)):
        options = {"peephole": None} if unit == "slstm" else {}
        layer = PLAIN[unit](UNITS, return_sequences=True, go_backwards=backwards, **options)
        layer.build((None, None, FEATURES))
        random = np.random.default_rng(1)
        layer.set_weights([random.normal(scale=0.7, size=w.shape) for w in layer.weights])
        key = f"{unit} {backwards} "
        case |= {f"{key}w{n}": w for n, w in enumerate(layer.get_weights())}
        case |= {f"{key}y": layer(x), f"{key}masked": layer(x, mask=mask)}
    np.savez(tmp_path / "case.npz", **case)
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "case.npz"), backend],
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=Path(__file__).parents[2],
    )
