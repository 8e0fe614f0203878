"""Where the map's boxes stand: pure modules of the page, run in the browser that will run them."""

from __future__ import annotations

import itertools
from typing import Any

from tests.support.console_browser import Tabs

LAYOUT = "pages/mesh/layout.js"


def box(name: str, first: bool = False, height: int = 80) -> dict[str, Any]:
    return {"id": name, "width": 240, "height": height, "first": first}


def edges(*pairs: str) -> list[dict[str, str]]:
    """`ab` leads from a to b."""
    return [{"id": pair, "from": pair[0], "to": pair[1]} for pair in pairs]


def lay_out(console: Tabs, **graph: Any) -> Any:
    return console.open().module(LAYOUT, "module.layout(given[0])", graph)


def test_each_box_stands_behind_all_that_lead_to_it(console_alone: Tabs) -> None:
    """The longest path from the way in counts, and a call back moves nothing."""
    found = lay_out(
        console_alone,
        boxes=[box("d"), box("c"), box("b"), box("a", first=True)],
        edges=edges("ab", "bc", "ac", "cd", "db"),
    )["boxes"]

    assert {"a": 0, "b": 1, "c": 2, "d": 3} == {name: place["layer"] for name, place in found.items()}
    assert found["a"]["x"] < found["b"]["x"] < found["c"]["x"] < found["d"]["x"]


def test_boxes_do_not_overlap(console_alone: Tabs) -> None:
    """Also where many lead to many, and each has another height."""
    names = "bcdefghij"
    found = lay_out(
        console_alone,
        boxes=[box("a", first=True), *(box(name, height=40 + 20 * at) for at, name in enumerate(names))],
        edges=edges(*(f"a{name}" for name in names[:6]), "bh", "bi", "cj", "dj", "eh", "fi", "gj"),
    )["boxes"]
    heights = {name: 40 + 20 * at for at, name in enumerate(names)}
    columns: dict[int, list[tuple[float, float]]] = {}
    for name, place in found.items():
        columns.setdefault(place["layer"], []).append((place["y"], place["y"] + heights.get(name, 80)))

    for spans in columns.values():
        spans.sort()
        assert all(above[1] <= below[0] for above, below in itertools.pairwise(spans))


def test_what_stays_keeps_its_order_when_something_comes(console_alone: Tabs) -> None:
    tab = console_alone.open()
    boxes, lines = [box("a", first=True), box("b"), box("c")], edges("ab", "ac")
    before = tab.module(LAYOUT, "module.layout(given[0])", {"boxes": boxes, "edges": lines})["boxes"]
    upper, lower = sorted("bc", key=lambda name: before[name]["y"])
    more = {"boxes": [*reversed(boxes), box("d")], "edges": [*reversed(lines), *edges("ad")]}
    order = {name: place["y"] for name, place in before.items()}
    after = tab.module(LAYOUT, "module.layout(given[0])", {**more, "order": order})["boxes"]

    assert after[upper]["y"] < after[lower]["y"]


def test_a_narrow_window_gets_layers_as_rows(console_alone: Tabs) -> None:
    found = lay_out(console_alone, boxes=[box("a", first=True), box("b")], edges=edges("ab"), vertical=True)

    assert found["boxes"]["a"]["x"] == found["boxes"]["b"]["x"]
    assert found["boxes"]["a"]["y"] + 80 < found["boxes"]["b"]["y"]
    assert 240 == found["width"]


def test_a_deep_mesh_needs_no_deep_stack(console_alone: Tabs) -> None:
    """A chain of 5,000 services, and the circle that it becomes."""
    tab = console_alone.open()
    expression = """(() => {
      const boxes = Array.from({ length: 5000 }, (_, at) => ({ id: `${at}`, width: 240, height: 80 }));
      const edges = boxes.map(({ id }, at) => ({ id, from: id, to: `${(at + 1) % 5000}` }));
      return Object.values(module.layout({ boxes, edges }).boxes).at(-1).layer;
    })()"""

    assert 4999 == tab.module(LAYOUT, expression)
