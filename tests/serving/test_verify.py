"""The clean process: it has neither kseq nor Keras, and it sees a wrong answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kseq.errors import ArtefactError
from kseq.serving import _clean_process
from kseq.serving.verify import Case, verify


@pytest.fixture
def cases(servable, sequences) -> list[Case]:
    """One case of each signature, at two lengths."""
    made = []
    for x, lengths in ((sequences, None), (sequences[:1, :3], np.array([2], "int32"))):
        steps = np.full(len(x), x.shape[1], "int32") if lengths is None else lengths
        probabilities = np.asarray(servable({"x": x, "lengths": steps})["probabilities"])
        inputs = {"x": x} if lengths is None else {"x": x, "lengths": lengths}
        signature = "serving_default" if lengths is None else "serve_lengths"
        made.append(Case(signature, inputs, {"probabilities": probabilities}))
    return made


def test_a_right_answer_without_kseq_and_keras(
    exported: Path, cases: list[Case], tmp_path: Path, monkeypatch, capfd
) -> None:
    # Whoever imports either of them in the clean process leaves a mark and fails.
    for name in ("keras", "kseq"):
        code = f"open({str(tmp_path / 'imported')!r}, 'a').write('{name}'); raise SystemExit(9)"
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    best = np.argmax(cases[0].expected["probabilities"], -1)
    labels = np.array(["sun", "rain", "näve/snow"], dtype=object)[best]
    first = Case("serving_default", cases[0].inputs, {**cases[0].expected, "label": labels})
    assert verify(exported, [first, cases[1]]) <= 1e-5
    assert not (tmp_path / "imported").exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_wrong_answer_is_named(exported: Path, cases: list[Case]) -> None:
    wrong = {"probabilities": cases[1].expected["probabilities"] + np.float32(0.25)}
    with pytest.raises(ArtefactError) as refused:
        verify(exported, [cases[0], Case("serve_lengths", cases[1].inputs, wrong)])
    assert "output 'probabilities' of 'serve_lengths', case 1: differs by 0.25" in str(
        refused.value
    )
    assert "largest difference: 0.25" in str(refused.value)


@pytest.mark.slow
def test_a_model_with_other_weights_is_refused(make_servable, cases, tmp_path) -> None:
    from kseq.serving.export import export

    other = make_servable()
    other.set_weights([weight + 0.5 for weight in other.get_weights()])
    export(other, tmp_path)
    with pytest.raises(ArtefactError, match="answers otherwise"):
        verify(tmp_path, cases)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_damaged_variables_are_refused(exported: Path, cases, tmp_path, damage: str) -> None:
    folder = shutil.copytree(exported, tmp_path / "1")
    path = next((folder / "variables").glob("*.data*"))
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        for position in range(0, len(data), 16):
            data[position] ^= 64
        path.write_bytes(data)
    with pytest.raises(ArtefactError, match="cannot be run"):
        verify(folder, cases)


@pytest.mark.slow
def test_an_unknown_signature_is_refused(exported: Path, cases) -> None:
    with pytest.raises(ArtefactError, match=r"cannot be run.*other"):
        verify(exported, [Case("other", cases[0].inputs, cases[0].expected)])


def test_a_slow_process_is_ended(exported: Path, cases) -> None:
    with pytest.raises(ArtefactError, match=r"over 0\.05 seconds"):
        verify(exported, cases, timeout=0.05)


@pytest.mark.parametrize(
    ("expected", "found", "problem"),
    [
        ([1.0, 2.0], [1.0, 2.0 + 1e-5], None),
        ([1.0, 2.0], [1.0, 2.1], "differs by 0.1"),
        ([1e6], [1e6 + 5], None),
        ([1e-3], [2e-3], "differs by 0.001"),
        ([1.0], [[1.0]], "shape"),
        ([1.0], [1], "type"),
        ([1, 2], [1, 3], "other values"),
        ([True], [False], "other values"),
        ([np.nan], [np.nan], "NaN"),
        ([1.0], [np.inf], "NaN"),
        (["a", "ü"], [b"a", "ü".encode()], None),
        (["a"], [b"b"], "'b', expected 'a'"),
        (np.zeros((0, 2)), np.zeros((0, 2)), None),
    ],
)
def test_what_counts_as_equal(expected, found, problem) -> None:
    result = {"difference": 0.0, "where": "", "problems": []}
    found = (
        np.array(found, dtype=object)
        if isinstance(found[:1], list) and isinstance(found[0], bytes)
        else np.array(found)
    )
    _clean_process._compare(np, np.array(expected), found, "here", 1e-5, result)
    if problem is None:
        assert result["problems"] == []
    else:
        assert problem in result["problems"][0]
