"""From stroke to bars: ``python -m benchmarks.draw_latency`` draws the recorded digits on the page, in Chromium.

The page is that of ``byom draw`` with AWS's model server behind it. Its own clock counts, from the moment at which the
browser reports a position to the moment at which the bars show an answer to a drawing with that position in it.
Positions come at sixty a second, as a mouse's do. Every other drawing is asked about with the notebook's mapping.

It prints medians, and writes ``benchmarks/results/draw_latency.json``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import machine
from benchmarks.drawn_digits import served, trained
from harness import Drawing, read_drawings
from harness.canvas.server import About, Page, PageServer

DRAWN = Path(__file__).parent.parent / "experiments" / "drawn-digits.json"
RESULTS = Path(__file__).parent / "results"

POSITION_SECONDS = 1 / 60

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]

COLLECT = """
window.latencies = [];
new MutationObserver(() => {
  const told = document.getElementById("latency").dataset.milliseconds;
  if (told) window.latencies.push(Number(told));
}).observe(document.getElementById("latency"), { attributes: true });
"""


def main() -> None:
    """Draw, collect, print, write."""
    parser = argparse.ArgumentParser(description="Milliseconds from a stroke on the page to updated bars.")
    parser.add_argument("--rounds", type=int, default=1, help="how often all recorded digits are drawn (1)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write into")
    options = parser.parse_args()
    browser = shutil.which("chromium")
    if browser is None:
        sys.exit("expected the system's package chromium, found no such command; install it")
    described = machine.describe("cpu")
    drawings = [drawing for some in read_drawings(DRAWN).values() for drawing in some] * options.rounds
    with served(trained()) as ask, PageServer(Page(ask, About(source="the notebook's model"))) as page:
        found = measure(browser, page.url, drawings)
    record: dict[str, Any] = {
        "drawings": len(drawings),
        "milliseconds": {mapping: summary(values) for mapping, values in found.items()},
        "date": time.strftime("%Y-%m-%d"),
        "machine": described,
        "versions": {name: importlib.metadata.version(name) for name in ("mxnet", "numpy", "playwright", "werkzeug")},
    }
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "draw_latency.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(text(record["milliseconds"]))


def measure(browser: str, url: str, drawings: list[Drawing]) -> dict[str, list[float]]:
    """What the page told after every answer, in milliseconds, by mapping."""
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {"mnist": [], "notebook": []}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.evaluate(COLLECT)
        for number, drawing in enumerate(tqdm(drawings, desc="draw", unit="digit")):
            mapping = list(found)[number % 2]
            page.check(f"input[value={mapping}]")
            page.evaluate("window.latencies.length = 0")
            draw(page, drawing)
            page.locator("#bars[aria-busy=false]").wait_for()
            found[mapping] += page.evaluate("window.latencies")
            page.click("#clear")
        chromium.close()
    return found


def draw(page: Any, drawing: Drawing) -> None:
    """One digit with the mouse, a position every sixtieth of a second."""
    box = page.locator("#pad").bounding_box()
    for stroke in drawing.strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            due = time.perf_counter() + POSITION_SECONDS
            page.mouse.move(*place)
            time.sleep(max(0.0, due - time.perf_counter()))
        page.mouse.up()


def text(found: dict[str, dict[str, float]]) -> str:
    """The figures in words, a line for each mapping."""
    return "\n".join(
        f"{mapping}: median {some['median']} ms, 95 % within {some['p95']} ms, of {some['answers']:,} answers"
        for mapping, some in found.items()
    )


def summary(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile, and of how many."""
    return {
        "answers": len(values),
        "median": round(statistics.median(values), 1),
        "p95": round(statistics.quantiles(values, n=20)[-1], 1),
    }


if __name__ == "__main__":
    main()
