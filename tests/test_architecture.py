"""The house: who may import whom, and how large a file may grow. Read from the source by ast."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import kseq

ROOT = Path(kseq.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
IDS = [str(path.relative_to(ROOT)) for path in FILES]

# From the top down: a module imports only from rows below its own, or a sibling in its own folder.
ROWS = [
    ["__main__"],
    ["cli"],
    ["comparison"],
    ["search"],
    ["records"],
    ["run"],
    ["parts"],
    ["explain"],
    ["report"],
    ["estimators"],
    ["serving"],
    ["training", "inference"],
    ["compat"],
    ["data"],
    ["builders"],
    ["layers"],
    ["losses", "metrics"],
    ["recipe"],
    ["schema"],
    ["registry"],
    ["spec", "tags"],
    ["errors"],
]
RANK = {name: len(ROWS) - number for number, row in enumerate(ROWS) for name in row}
EXTRAS = {"matplotlib", "PIL", "pandas", "statsmodels", "tensorflow_serving", "keras_tuner"}
# Files that are an extra's through and through; they are imported when it is needed.
OF_AN_EXTRA = {
    "search/proposals.py": "keras_tuner",
    "search/oracle.py": "keras_tuner",
    "search/tuner.py": "keras_tuner",
    "search/worker.py": "keras_tuner",
}
# An import inside a function for laziness, each with a comment there that says why.
LAZY = {
    ("data/digit_images.py", "sklearn.datasets"),
    ("data/readers/sample.py", "sklearn.datasets"),
    ("search/tuning.py", "kseq.search.chief"),
    ("search/tuning.py", "kseq.search.oracle"),
    ("search/tuning.py", "kseq.search.tuner"),
    ("search/tuning.py", "kseq.search.worker"),
}
# importlib.import_module: laziness that these files document.
IMPORTLIB = {
    "__init__.py",
    "builders/__init__.py",  # every file of the folder
    "comparison/worker.py",  # what registered a builder
    "cli/__init__.py",
    "registry.py",
    "serving/__init__.py",
    "serving/_clean_process.py",  # after Keras has been blocked
}
# TensorFlow by name, for speed alone: on other backends these files do without.
FAST_PATHS = {
    "inference.py",
    "layers/block_lstm.py",
    "layers/cells.py",
    "layers/compiled.py",
    "layers/recurrent.py",
    "layers/torch_kernels.py",
    "layers/characters.py",
    "training/adam.py",
    "training/loop.py",
}
# The gradients of trained models, which every backend takes in its own way.
OF_BACKENDS = {"explain/gradients.py"}
LONGEST = 350
# Longer ones, each to be split; the list may only shrink.
LONG: set[str] = set()


@dataclass(frozen=True)
class Import:
    """One imported module."""

    module: str
    line: int
    inside: bool  # of a function
    typing: bool  # below `if TYPE_CHECKING`


def imports(path: Path) -> Iterator[Import]:
    """Every module that a file imports; of `from package import module` the module."""

    def walk(node: ast.AST, inside: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, inside, typing)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found = whole if is_module(whole) else str(node.module)
                yield Import(found, node.lineno, inside, typing)
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        typing = typing or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside, typing)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), False, False)


def is_module(name: str) -> bool:
    """Whether a dotted name is a module or package of kseq."""
    path = ROOT.parent.joinpath(*name.split("."))
    return name.startswith("kseq.") and (path.is_dir() or path.with_suffix(".py").is_file())


def row_of(path: Path) -> str:
    """The part of the house that a file is in."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_go_down(path):
    if path == ROOT / "__init__.py":
        return
    me = row_of(path)
    assert me in RANK, f"{me} stands in no row"
    for found in imports(path):
        target = found.module.split(".")
        if target[0] != "kseq" or found.typing:
            continue
        if len(target) == 1:  # `from kseq import __version__`
            assert me == "cli", f"{path}:{found.line} imports kseq itself"
            continue
        if target[1] == me:
            package = ".".join(["kseq", *path.relative_to(ROOT).parts[:-1]])
            if path.name != "__init__.py":
                assert found.module != package, f"{path}:{found.line} imports its own package"
        else:
            assert RANK[target[1]] < RANK[me], f"{path}:{found.line} imports {found.module}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_private_keras_and_hidden_tensorflow_are_not_imported(path):
    text = path.read_text(encoding="utf-8")
    for found in imports(path):
        if found.typing:
            continue
        assert not found.module.startswith("keras.src"), f"{path}:{found.line}"
        if found.module.split(".")[0] == "tensorflow":
            by_name = FAST_PATHS | OF_BACKENDS
            allowed = row_of(path) == "serving" or str(path.relative_to(ROOT)) in by_name
            assert allowed, f"{path}:{found.line} imports tensorflow"
            head = text.split('"""')[1]
            assert "TensorFlow" in head, f"{path} does not say that it imports tensorflow"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_stand_at_the_top(path):
    name = str(path.relative_to(ROOT))
    for found in imports(path):
        if found.inside and (name, found.module) not in LAZY:
            assert found.module.split(".")[0] in EXTRAS, f"{path}:{found.line}: {found.module}"
    if "importlib.import_module" in path.read_text(encoding="utf-8"):
        assert name in IMPORTLIB


def test_extras_are_imported_inside_functions_alone():
    for path in FILES:
        own = OF_AN_EXTRA.get(str(path.relative_to(ROOT)))
        for found in imports(path):
            package = found.module.split(".")[0]
            if package in EXTRAS and package != own:
                assert found.inside or found.typing, f"{path}:{found.line}: {found.module}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_file_can_be_held_in_one_head(path):
    name = str(path.relative_to(ROOT))
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert (lines > LONGEST) == (name in LONG), f"{name} has {lines} lines"
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not {"utils", "helpers", "common", "misc"} & set(path.relative_to(ROOT).parts)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_file_says_what_it_is_for(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)


PACKAGES = [p for p in FILES if p.name == "__init__.py" and p != ROOT / "__init__.py"]


@pytest.mark.parametrize("path", PACKAGES, ids=[str(p.parent.relative_to(ROOT)) for p in PACKAGES])
def test_a_package_exports_what_it_imports(path):
    name = ".".join(["kseq", *path.parent.relative_to(ROOT).parts])
    if name == "kseq.cli":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("kseq")
        for alias in node.names
    }
    exported = getattr(importlib.import_module(name), "__all__", [])
    assert sorted(exported) == sorted(imported)
    assert len(exported) == len(set(exported))
    for each in exported:
        assert getattr(importlib.import_module(name), each) is not None


# --- the front door ---


def test_everything_that_kseq_exports_is_there():
    for name in kseq.__all__:
        assert getattr(kseq, name) is not None
    assert set(kseq.__all__) <= set(dir(kseq))
    assert sorted(kseq.__all__) == kseq.__all__
    with pytest.raises(AttributeError, match="module 'kseq' has no attribute 'Sequence'"):
        _ = kseq.Sequence


def test_type_checkers_see_the_same_names():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n))
    seen = {
        alias.name: f"{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(seen) == set(kseq.__all__)
    for name, home in seen.items():
        if home == "kseq":
            assert getattr(kseq, name) is importlib.import_module(f"kseq.{name}")
        else:
            assert getattr(kseq, name) is getattr(importlib.import_module(home), name)


def test_the_version_stands_once():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))[
        "project"
    ]
    assert project["version"] == kseq.__version__


def test_the_package_is_typed():
    assert (ROOT / "py.typed").is_file()


@pytest.mark.parametrize(
    "script",
    [
        "import kseq; dir(kseq); kseq.__version__; kseq.Spec; kseq.RecipeError",
        "import kseq; kseq.Recipe.from_dict({'task': 'classification'})",
        "from kseq.cli import main; assert main(['--help']) == 0",
        "from kseq.cli import main; assert main(['--version']) == 0",
        "from kseq.cli import main; assert main(['data', 'list']) == 0",
        "from kseq.cli import main; assert main(['trian']) == 2",
        "from kseq.serving import artefact",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(script, tmp_path):
    heavy = "{'tensorflow', 'keras', 'sklearn', 'pandas', 'matplotlib'}"
    check = f"import sys; loaded = {heavy} & set(sys.modules); assert not loaded, loaded"
    environment = {**os.environ, "KSEQ_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\n{check}"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_machines_paths_or_hosts_stand_in_the_source():
    suspicious = re.compile(r"/home/|/work/|/root/|/Users/|[A-Z]:\\\\")
    for path in FILES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            assert not suspicious.search(line), f"{path}:{number}"
