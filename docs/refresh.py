"""Puts the outputs and the pictures of the code as it is now into the README.

    python docs/refresh.py                      # a minute
    python docs/refresh.py moving_digits        # eight minutes more

Trains recipes, copies their pictures, and fills the blocks between `<!-- output: ... -->` and
`<!-- output end -->`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURES = ROOT / "docs" / "pictures"
FILM = "filmstrip.png"
MISTAKEN = """\
name: demo
task: {kind: forecasting, horizon: 0}
data: {reader: sample, name: sunspots}
model: {builder: stacked_rnn, unit: 64, dropout: 1.5}
training: {epochs: ten}
"""


def kseq(*arguments: str, folder: Path = ROOT) -> str:
    """What a command prints, on both streams."""
    command = [sys.executable, "-m", "kseq", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).rstrip()


def mistakes() -> str:
    """The answer to a recipe with mistakes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "demo.yaml")
        path.write_text(MISTAKEN)
        said = kseq("show", "demo.yaml", folder=Path(folder))
    return f"$ kseq show demo.yaml\n{said}"


def training(recipe: str, picture: str) -> str:
    """The score of a recipe, and one of the pictures of its report."""
    with tempfile.TemporaryDirectory() as folder:
        said = kseq("train", f"recipes/{recipe}.yaml", "--quiet", "--output", folder)
        report = Path(folder, recipe, "1", "assets.extra", "kseq", "report")
        PICTURES.mkdir(exist_ok=True)
        shutil.copy(report / picture, PICTURES / f"{recipe}.png")
        return said.replace(folder, "saved_models")


def filled(text: str, block: str, output: str) -> str:
    """The README with one block of output replaced."""
    pattern = rf"(<!-- output: {re.escape(block)} -->\n).*?(<!-- output end -->)"
    return re.sub(pattern, lambda m: f"{m[1]}```\n{output}\n```\n{m[2]}", text, count=1, flags=re.S)


def main() -> None:
    """The command line."""
    text = README.read_text()
    text = filled(text, "mistakes", mistakes())
    for recipe, picture in {
        "sunspots": "forecast.png",
        **dict.fromkeys(sys.argv[1:], FILM),
    }.items():
        text = filled(text, f"kseq train recipes/{recipe}.yaml", training(recipe, picture))
    README.write_text(text)


if __name__ == "__main__":
    main()
