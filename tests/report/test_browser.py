"""Pages of whole runs in a browser: from disk, narrow and wide, light and dark, and on paper."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kseq
from kseq.metrics.classification import evaluate_classification
from kseq.report.write import write_report
from kseq.run import train
from kseq.serving.artefact import check
from kseq.serving.manifest import HOME

pytestmark = pytest.mark.slow

SIZES = [(360, 740), (1280, 800)]
THEMES = ["light", "dark"]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EVIL = "<script>document.title='run'</script>"
GIVEN: dict[str, dict[str, Any]] = {
    "tagging": {
        "task": "tagging",
        "data": {"reader": "conll", "train": "train.conll", "test": "test.conll"},
        "model": {"builder": "bilstm_cnn_crf", "units": 8},
        "training": {
            **{"epochs": 15, "batch_size": 8, "learning_rate": 0.01},
            **{"validation_fraction": 0.2, "verbose": False},
        },
    },
    "classification": {
        "task": "classification",
        "data": {"reader": "sample", "name": "digits"},
        "model": {"builder": "stacked_rnn", "units": 8},
        "training": {"epochs": 1, "verbose": False},
    },
    "forecasting": {
        "task": {"kind": "forecasting", "window": 22, "horizon": 6, "season": 11},
        "data": {"reader": "sample", "name": "sunspots", "split": [0.8, 0.2]},
        "model": {"builder": "stacked_rnn", "units": 8},
        "training": {"epochs": 2, "verbose": False},
    },
    "video": {
        "task": {"kind": "video", "window": 4, "horizon": 4},
        "data": {
            **{"reader": "moving_digits", "digits": "sklearn", "frames": 8, "size": 32},
            **{"train": 4, "valid": 2, "test": 3},
        },
        "model": {"builder": "conv_lstm", "filters": 4},
        "training": {"epochs": 1, "batch_size": 2, "verbose": False},
    },
}


def missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("no playwright: pip install 'kseq[test]'")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    path = next((each for each in found if each), None)
    if path is None:
        missing("no Chromium: apt-get install chromium")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


def write_texts(folder: Path) -> None:
    """Made-up sentences, names in them, one type and one token that would run if it could."""
    draw = random.Random(0)
    names, places = ["Ana", "Bo", "Cleo Ruiz", "Dov"], ["Rome", "New York", "Oslo", EVIL]
    for part, count in (("train", 60), ("test", 40)):
        lines = []
        for _ in range(count):
            who, where = draw.choice(names).split(), draw.choice(places).split()
            rows = [("where", "O"), ("did", "O")]
            rows += [(w, f"{'I' if k else 'B'}-person") for k, w in enumerate(who)]
            rows += [("go", "O"), ("?", "O"), ("to", "O")]
            rows += [(w, f"{'I' if k else 'B'}-{EVIL}") for k, w in enumerate(where)]
            if part == "test" and draw.random() < 0.5:
                rows += [("with", "O"), (draw.choice(["Eve", "Finn"]), "B-person")]
            lines += [f"{token}\t{tag}" for token, tag in rows] + [""]
        (folder / f"{part}.conll").write_text("\n".join(lines), encoding="utf-8")


def wide(folder: Path) -> Path:
    """A page of long names, many classes and long texts."""
    classes = [f"{'very' * 30}-long-{place}" for place in range(45)]
    rng = np.random.default_rng(0)
    truth = rng.choice(classes, size=90).tolist()
    probabilities = rng.dirichlet(np.ones(45), size=90)
    given = [classes[row] for row in probabilities.argmax(axis=1)]
    scored = evaluate_classification(truth, given, probabilities, classes, classes[0])
    write_report(
        folder,
        recipe={"name": "n" * 200, "task": "classification", "model": {"units": list(range(99))}},
        evaluation=scored,
        history={},
        facts={
            "files": {f"{'folder/' * 30}x.csv": "f" * 64},
            "texts": {"test": 90},
            "classes": classes,
        },
        items=["x" * 2000, *["word " * 300] * 89],
        ids=["i" * 300] * 90,
    )
    return folder / "report.html"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of a run of each task, published, and one of long names."""
    folder = tmp_path_factory.mktemp("runs")
    write_texts(folder)
    found = {}
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.chdir(folder)
        for name, recipe in GIVEN.items():
            run = train({"name": name, "seed": 1, **recipe}, output=folder / "models")
            assert run.path is not None
            check(run.path)
            kseq.load(run.path)
            found[name] = run.path / HOME / "report" / "report.html"
    return {**found, "wide": wide(folder / "wide")}


CONTRAST = """() => {
  const parts = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => {
    const a = top[3];
    return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)).concat(1);
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.push(parts(getComputedStyle(at).backgroundColor));
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const poor = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    const below = ground(element);
    const text = over(parts(getComputedStyle(element).color), below);
    const [low, high] = [light(text), light(below)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    seen += 1;
    if (ratio < 4.5) poor.push([ratio.toFixed(2), element.tagName, walker.currentNode.data]);
  }
  return {poor, seen};
}"""

OUTSIDE = """() => [...document.body.querySelectorAll('*')]
  .filter((element) => {
    const box = element.getBoundingClientRect();
    const out = box.width && (box.right > innerWidth + 1 || box.left < -1);
    return out && !element.parentElement.closest('.scroll');
  })
  .map((element) => element.outerHTML.slice(0, 120))"""

IMAGES = """() => [...document.images].map((image) =>
  ({complete: image.complete, width: image.naturalWidth, source: image.currentSrc.slice(0, 22)}))"""


FIRST = """() => {
  const image = document.querySelector('picture img');
  const source = document.querySelector('picture source');
  return [image.currentSrc, image.src, source.srcset];
}"""


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
@pytest.mark.parametrize("name", [*GIVEN, "wide"])
def test_a_page_reads_well(
    name: str,
    size: tuple[int, int],
    theme: str,
    pages: dict[str, Path],
    browser: Any,
    tmp_path: Path,
) -> None:
    view = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=view, color_scheme=theme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    page.on("request", lambda request: asked.append(request.url))
    address = pages[name].as_uri()
    page.goto(address)
    page.screenshot(path=tmp_path / f"{name}-{size[0]}-{theme}.png", full_page=True)

    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert page.title().endswith("- kseq report")

    images = page.evaluate(IMAGES)
    assert images
    assert all(image["complete"] and image["width"] > 0 for image in images)
    first = page.evaluate(FIRST)
    assert first[0] == first[2 if theme == "dark" else 1]

    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(OUTSIDE) == []
    contrast = page.evaluate(CONTRAST)
    assert contrast["seen"] > 60
    assert contrast["poor"] == []
    context.close()


@pytest.mark.parametrize("name", [*GIVEN, "wide"])
def test_a_page_prints_dark_on_white(name: str, pages: dict[str, Path], browser: Any) -> None:
    context = browser.new_context(viewport={"width": 680, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto(pages[name].as_uri())
    page.emulate_media(media="print", color_scheme="light")
    colours = page.evaluate(
        "() => [getComputedStyle(document.body).color,"
        " getComputedStyle(document.documentElement).getPropertyValue('--ground').trim(),"
        " getComputedStyle(document.querySelector('nav')).display]"
    )
    assert colours == ["rgb(0, 0, 0)", "#ffffff", "none"]
    assert page.evaluate(CONTRAST)["poor"] == []
    sources = page.evaluate("() => [...document.images].map((i) => [i.currentSrc, i.src])")
    assert all(used == light for used, light in sources), "the light pictures, on a dark screen too"
    printed = page.pdf(format="A4", print_background=True)
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") >= 2
    context.close()
