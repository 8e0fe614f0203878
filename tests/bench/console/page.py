"""What the console's first page costs a browser: bytes, time to the first picture, layouts, and long tasks.

    python -m tests.bench.console.page [--services 200] [--seconds 60] [--rounds 5] [--layout 1000]

Chromium shows the map of a mesh with traffic on all services. Layouts are made in a worker, as the page makes them.
How long a task takes on the clock depends on what else this machine does; the time on the processor does so less.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import shutil
from collections import defaultdict
from typing import Any

from tests.bench.console.live import SETTLE_SECONDS, Mesh
from tests.bench.report import spread, table
from tests.contract.control_plane.conftest import ControlPlane, serving
from tests.support.large import MESH
from tests.support.reports import reporting

LONG_MS = 50
"""From so many milliseconds on chromium calls a task long, and tells its duration."""
TRACED = "disabled-by-default-devtools.timeline"
"""The category of chromium's trace that has each task of a page, with the time on the clock and on the processor."""
LAYERS, CALLED = 6, 2
WATCH = """
globalThis.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration)))
  .observe({ type: "longtask", buffered: true });
new MutationObserver((_, observer) => {
  if (!document.querySelector(".mesh-box")) return;
  globalThis.firstPicture = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
FILE_BYTES = """[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .filter(({ name }) => name.endsWith("/console/") || name.includes("/console/static/"))
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"""
LAY_OUT = """async ([graph, rounds]) => {
  const worker = new Worker("static/pages/mesh/worker.js", { type: "module" });
  const ask = (number) => new Promise((answer, fail) => {
    worker.onmessage = answer;
    worker.onerror = () => fail(new Error("the worker failed"));
    worker.postMessage({ number, graph });
  });
  const took = [];
  for (let number = 0; number <= rounds; number++) {
    const began = performance.now();
    await ask(number);
    took.push(performance.now() - began);
  }
  worker.terminate();
  return took.slice(1);
}"""


def layered_graph(services: int) -> dict[str, Any]:
    """Boxes in layers, of which each leads to some of the next layer."""
    chosen = random.Random(4)  # a repeatable graph is the point
    size = max(CALLED, services // LAYERS)
    layers = [range(begin, min(services, begin + size)) for begin in range(0, services, size)]
    edges = [
        {"id": f"{one} {other}", "from": str(one), "to": str(other)}
        for layer, following in itertools.pairwise(layers)
        for one in layer
        for other in chosen.sample(following, min(CALLED, len(following)))
    ]
    boxes = [{"id": str(one), "width": 240, "height": 114, "first": one in layers[0]} for one in range(services)]
    return {"boxes": boxes, "edges": edges}


async def measure(plane: ControlPlane, asked: argparse.Namespace) -> str:
    from playwright.async_api import async_playwright

    mesh = await asyncio.to_thread(Mesh, plane, asked.services)
    reports = asyncio.create_task(reporting(plane.xds_port, mesh.callers))
    await asyncio.sleep(min(SETTLE_SECONDS, asked.seconds))
    try:
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            return table(
                [f"{asked.services} services, traffic on all", "median (least to most)"],
                [
                    *await _first_page(browser, plane, asked.rounds),
                    *await _tasks(browser, plane, asked.seconds, "grouped by namespace"),
                    *await _tasks(browser, plane, asked.seconds, "all services shown", "&group=no"),
                    *await _layouts(browser, plane, asked.layout, asked.rounds),
                ],
            )
    finally:
        reports.cancel()
        await asyncio.gather(reports, return_exceptions=True)


async def _open(browser: Any, plane: ControlPlane, address: str) -> Any:
    """A page of a browser that has nothing in its cache, once it shows the map."""
    # The measurement makes a worker of its own, which the page's policy refuses.
    context = await browser.new_context(bypass_csp=True, viewport={"width": 1360, "height": 860})
    page = await context.new_page()
    await page.add_init_script(WATCH)
    await page.goto(f"{plane.url}/console/{address}")
    await page.locator(".mesh-box").first.wait_for()
    return page


async def _first_page(browser: Any, plane: ControlPlane, rounds: int) -> list[list[str]]:
    sizes, pictures = [], []
    for _ in range(rounds):
        page = await _open(browser, plane, "")
        sizes.append(await page.evaluate(FILE_BYTES) / 1000)
        pictures.append(await page.evaluate("firstPicture"))
        await page.context.close()
    return [
        ["kB of the first page's files, as they are sent", spread(sizes)],
        ["ms until the map shows its first box", spread(pictures, 0)],
    ]


async def _tasks(browser: Any, plane: ControlPlane, seconds: float, shown: str, view: str = "") -> list[list[str]]:
    """Long tasks of the page while figures of all services change once a second."""
    page = await _open(browser, plane, f"#/mesh?mesh={MESH}{view}")
    await asyncio.sleep(min(5.0, seconds))
    await browser.start_tracing(page=page, categories=[TRACED])
    await page.evaluate("longTasks.length = 0")
    await asyncio.sleep(seconds)
    found = await page.evaluate("longTasks")
    used = busiest_thread(json.loads(await browser.stop_tracing())["traceEvents"])
    await page.context.close()
    longest = f"{max(found):.0f}" if found else f"under {LONG_MS}"
    return [
        [f"tasks of {LONG_MS} ms and more in {seconds:g} s of updates, {shown}", str(len(found))],
        [f"ms of the longest task, {shown}", longest],
        [f"CPU ms of its tasks: the longest, {shown}", f"{max(used):.1f}"],
        [f"CPU ms of its tasks a second, {shown}", f"{sum(used) / seconds:.0f}"],
    ]


def busiest_thread(events: list[dict[str, Any]]) -> list[float]:
    """Milliseconds on the processor of each task of the thread that worked most: the page's own."""
    used: dict[tuple[int, int], list[float]] = defaultdict(list)
    for event in events:
        if event["name"] == "RunTask" and "tdur" in event:
            used[event["pid"], event["tid"]].append(event["tdur"] / 1000)
    return max(used.values(), key=sum)


async def _layouts(browser: Any, plane: ControlPlane, services: int, rounds: int) -> list[list[str]]:
    page = await _open(browser, plane, "")
    took = await page.evaluate(LAY_OUT, [layered_graph(services), rounds])
    await page.context.close()
    return [[f"ms of a layout of {services:,} services", spread(took, 0)]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layout", type=int, default=1000)
    asked = parser.parse_args()
    with serving() as plane:
        print(asyncio.run(measure(plane, asked)))


if __name__ == "__main__":
    main()
