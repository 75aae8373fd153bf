"""Runs a SavedModel where neither kseq nor Keras can be imported, as a server would.

A script, started by `kseq.serving.verify`: the standard library, numpy and TensorFlow are all it
needs. Every case is run twice: through the object graph, and as one graph with its signatures,
which is what a server runs.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

BLOCKED = ("keras", "kseq")


def main(model: str, folder: str) -> None:
    """Compares the model's answers with what is expected and leaves `result.json`.

    Args:
        model: The folder of the SavedModel.
        folder: The folder with `cases.json` and `arrays.npz`.
    """
    for name in BLOCKED:
        sys.modules[name] = None  # type: ignore[assignment]
    # After the blocking, since TensorFlow imports Keras itself where it can.
    numpy = importlib.import_module("numpy")
    tensorflow = importlib.import_module("tensorflow")
    place = Path(folder)
    cases = json.loads((place / "cases.json").read_text("utf-8"))
    result: dict[str, Any] = {"difference": 0.0, "where": "", "problems": []}
    with numpy.load(place / "arrays.npz", allow_pickle=False) as arrays:
        for run in (_objects(tensorflow, model), _graph(tensorflow, model)):
            for number, case in enumerate(cases["cases"]):
                given = {name: arrays[key] for name, key in case["inputs"].items()}
                found = run(case["signature"], given)
                for name, key in case["expected"].items():
                    where = f"output '{name}' of '{case['signature']}', case {number}"
                    if name not in found:
                        result["problems"].append(f"{where}: missing, there are {sorted(found)}")
                        continue
                    _compare(numpy, arrays[key], found[name], where, cases["tolerance"], result)
    loaded = [name for name, module in sys.modules.items() if module is not None]
    loaded = [name for name in loaded if name.split(".")[0] in BLOCKED]
    if loaded:
        result["problems"].append(f"the process was not clean: {loaded[0]} was imported")
    (place / "result.json").write_text(json.dumps(result), "utf-8")


def _objects(tensorflow: Any, model: str) -> Any:
    loaded = tensorflow.saved_model.load(model)

    def run(signature: str, given: dict[str, Any]) -> dict[str, Any]:
        tensors = {name: tensorflow.constant(array) for name, array in given.items()}
        answer = loaded.signatures[signature](**tensors)
        return {name: tensor.numpy() for name, tensor in answer.items()}

    return run


def _graph(tensorflow: Any, model: str) -> Any:
    v1 = tensorflow.compat.v1
    session = v1.Session(graph=tensorflow.Graph())
    with session.graph.as_default():
        meta = v1.saved_model.loader.load(session, ["serve"], model)

    def run(signature: str, given: dict[str, Any]) -> dict[str, Any]:
        names = meta.signature_def[signature]
        feed = {names.inputs[name].name: array for name, array in given.items()}
        fetch = {name: info.name for name, info in names.outputs.items()}
        answer: dict[str, Any] = session.run(fetch, feed)
        return answer

    return run


def _compare(
    numpy: Any, expected: Any, found: Any, where: str, tolerance: float, result: dict[str, Any]
) -> None:
    problems = result["problems"]
    if expected.shape != found.shape:
        problems.append(f"{where}: shape {found.shape}, expected {expected.shape}")
    elif expected.dtype.kind == "U":
        words = [w.decode("utf-8") if isinstance(w, bytes) else str(w) for w in found.flat]
        wrong = [(a, b) for a, b in zip(words, expected.flat, strict=True) if a != b]
        if wrong:
            problems.append(f"{where}: {wrong[0][0]!r}, expected {str(wrong[0][1])!r}")
    elif expected.dtype.kind != found.dtype.kind:
        problems.append(f"{where}: type {found.dtype}, expected {expected.dtype}")
    elif expected.dtype == "uint8":  # a pixel may be rounded either way
        if (numpy.abs(expected.astype(int) - found.astype(int)) > 1).any():
            problems.append(f"{where}: other pixels than expected")
    elif expected.dtype.kind in "biu":
        if not numpy.array_equal(expected, found):
            problems.append(f"{where}: other values than expected")
    elif not numpy.isfinite(expected).all() or not numpy.isfinite(found).all():
        problems.append(f"{where}: NaN or infinity")
    elif expected.size:
        expected, found = expected.astype("float64"), found.astype("float64")
        difference = float(numpy.abs(expected - found).max())
        if difference >= result["difference"]:
            result["difference"], result["where"] = difference, where
        if difference > tolerance * max(1.0, float(numpy.abs(expected).max())):
            problems.append(f"{where}: differs by {difference:.3g}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
