"""Puts the output and the picture of the code as it is now into the README.

    python docs/refresh.py

Trains `recipes/sunspots.yaml`, copies its picture, and fills the blocks between
`<!-- output: ... -->` and `<!-- output end -->`.
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


def training() -> str:
    """The score of the README's first command, and its picture."""
    with tempfile.TemporaryDirectory() as folder:
        said = kseq("train", "recipes/sunspots.yaml", "--quiet", "--output", folder)
        report = Path(folder, "sunspots", "1", "assets.extra", "kseq", "report")
        PICTURES.mkdir(exist_ok=True)
        shutil.copy(report / "forecast.png", PICTURES / "sunspots.png")
        return said.replace(folder, "saved_models")


def filled(text: str, block: str, output: str) -> str:
    """The README with one block of output replaced."""
    pattern = rf"(<!-- output: {re.escape(block)} -->\n).*?(<!-- output end -->)"
    return re.sub(pattern, lambda m: f"{m[1]}```\n{output}\n```\n{m[2]}", text, count=1, flags=re.S)


def main() -> None:
    """The command line."""
    text = README.read_text()
    text = filled(text, "mistakes", mistakes())
    text = filled(text, "kseq train recipes/sunspots.yaml", training())
    README.write_text(text)


if __name__ == "__main__":
    main()
