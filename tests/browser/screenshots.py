"""Pictures of every page of the console, for people to look at: light and dark, desk and phone.

    python -m tests.browser.screenshots [FOLDER] [--scene demo --scene large --scene empty] [--page traffic] [--whole]

`demo` is `shopmesh up` under load, `large` a mesh of 200 services with simulated proxies, `empty` has no mesh.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from playwright.sync_api import TimeoutError as NotInTime

from shopmesh.client import Client
from shopmesh.xds.node import ProxyNode
from tests.bench.xds.clients import Fleet, envoy_node
from tests.contract.control_plane.conftest import serving
from tests.e2e.local.conftest import PROJECT, SHOPMESH, starting
from tests.support.console import ConsoleServer
from tests.support.console_browser import SIZES, Tab, Tabs, chromium
from tests.support.console_meshes import MESH, callers, host, layered_mesh, node_names
from tests.support.process import running
from tests.support.reports import reporting

SERVICES = 200
SETTLE_SECONDS = 14.0
"""Until the ten seconds of figures, and a few points of the plots, are there."""
PRODUCT = "product.default.svc.cluster.local"
EMPTY = {page: f"#/{page}" for page in ("mesh", "traffic", "resources", "proxies", "findings", "changes")}
DEMO = EMPTY | {
    "mesh-panel": f"#/mesh?box=service/{PRODUCT}",
    "mesh-table": "#/mesh?view=table",
    "traffic-route": f"#/traffic?service={PRODUCT}",
    "traffic-preview": f"#/traffic?service={PRODUCT}",
    "traffic-canary": "#/traffic?service=customer.default.svc.cluster.local",
    "resources-one": "#/resources?resource=virtualNode/product-v2-vn",
    "resources-edit": "#/resources?resource=virtualNode/product-v2-vn&edit=yes",
    "proxies-one": "#/proxies?proxy=virtualNode/order-vn/order-vn-1",
    "changes-one": "#/changes?revision=2&proxies=shown",
}
LARGE = EMPTY | {
    "mesh-open": "#/mesh?open=billing",
    "mesh-all": "#/mesh?group=no",
    "mesh-focus": f"#/mesh?box=service/{host(40)}&focus=service/{host(40)}",
    "mesh-table": "#/mesh?view=table",
    "traffic-route": f"#/traffic?service={host(40)}",
    "resources-one": f"#/resources?resource=virtualService/{host(40)}",
    "resources-edit": "#/resources?resource=virtualRouter/s40&edit=yes",
    "proxies-one": "#/proxies?proxy=virtualNode/s40-v10/s40-v10-1",
}
BUTTONS = {"traffic-preview": "All to 2.0"}
"""What is pressed before the picture."""


class Scene(NamedTuple):
    link: Any
    pages: Mapping[str, str]


@contextlib.contextmanager
def demo(folder: Path) -> Iterator[Scene]:
    """The tutorial's mesh: product is split in halves, a canary of customer runs, and one resource is a mistake."""
    with starting(folder) as up:
        up.wait()
        route = up.client.appmesh.describe_route(
            meshName="shopmesh", virtualRouterName="product-vr", routeName="product-r"
        )
        spec = route["route"]["spec"]
        for target in spec["httpRoute"]["action"]["weightedTargets"]:
            target["weight"] = 50
        names = {"meshName": "shopmesh", "virtualRouterName": "product-vr", "routeName": "product-r"}
        up.client.requests([{"operation": "UpdateRoute", "parameters": {**names, "spec": spec}}])
        mistaken = {"backends": [{"virtualService": {"virtualServiceName": "nowhere.default"}}]}
        names = {"meshName": "shopmesh", "virtualNodeName": "mistaken"}
        up.client.requests([{"operation": "CreateVirtualNode", "parameters": {**names, "spec": mistaken}}])
        plan = {"to": "customer-v15-vn", "steps": [25, 50], "every": "1h"}
        customer = ("shopmesh", "customer-vr", "customer-r")
        up.client.start_canary(customer, "customer.default.svc.cluster.local", plan, "control-plane", 60.0)
        load = (*SHOPMESH, "load", f"http://127.0.0.1:{up.port}/", "--rate", "25", "--for", "20m")
        with running(load, up.environment, PROJECT):
            yield Scene(up.client.console_link, DEMO)


@contextlib.contextmanager
def large(_: Path) -> Iterator[Scene]:
    """Many services, all with traffic; all but the proxies of the last three are connected."""
    with serving() as plane, Client(plane.url) as client, _proxies(plane.xds_port), _traffic(plane.xds_port):
        client.requests(layered_mesh(SERVICES))
        yield Scene(lambda: f"{plane.url}/console/", LARGE)


@contextlib.contextmanager
def empty(_: Path) -> Iterator[Scene]:
    with ConsoleServer() as server:
        yield Scene(server.link, EMPTY)


@contextlib.contextmanager
def _proxies(port: int) -> Iterator[None]:
    fleet, ended = Fleet(port), threading.Event()
    names = node_names(SERVICES)[:-3]
    fleet.connect(envoy_node(ProxyNode(mesh=MESH, name=name, instance=f"{name}-1"), 0) for name in names)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(fleet.run, ended.is_set)
        try:
            yield
        finally:
            ended.set()
    fleet.close()


@contextlib.contextmanager
def _traffic(port: int) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    task = loop.create_task(reporting(port, callers(SERVICES)))
    with ThreadPoolExecutor(1) as thread:
        thread.submit(loop.run_until_complete, asyncio.wait([task]))
        try:
            yield
        finally:
            loop.call_soon_threadsafe(task.cancel)
    loop.close()


SCENES = {"demo": demo, "large": large, "empty": empty}


def look(tab: Tab, page: str, address: str, picture: Path, whole: bool) -> None:
    tab.show("#/mesh" if tab.page.url.endswith(address) else address)
    tab.show(address)
    tab.page.locator("main h1, main .state").first.wait_for()
    tab.page.wait_for_function("() => document.querySelector('.loading') === null")
    if page in BUTTONS:
        tab.page.get_by_role("button", name=BUTTONS[page], exact=True).click()
    # Layouts are made beside the page.
    with contextlib.suppress(NotInTime):
        tab.page.locator(".mesh-box").first.wait_for(timeout=2000 if page.startswith("mesh") else 1)
    tab.page.wait_for_timeout(500)
    tab.page.screenshot(path=picture, full_page=whole)
    if page in BUTTONS:
        tab.page.get_by_role("button", name="Cancel", exact=True).click()


def take(scene: str, asked: argparse.Namespace, browser: Any) -> None:
    with TemporaryDirectory() as folder, SCENES[scene](Path(folder)) as (link, pages):
        if scene != "empty":
            threading.Event().wait(SETTLE_SECONDS)
        tabs = Tabs(browser, link)
        for size in SIZES:
            for scheme in ("light", "dark"):
                tab = tabs.open(size=size, scheme=scheme)
                for page, address in pages.items():
                    if page.startswith(asked.page):
                        look(tab, page, address, asked.folder / f"{scene}-{page}-{size}-{scheme}.png", asked.whole)
                if scene == "empty":
                    tab = tabs.open(size=size, scheme=scheme, signed_in=False)
                    tab.page.locator("h1").wait_for()
                    tab.page.screenshot(path=asked.folder / f"signed-out-{size}-{scheme}.png")
        tabs.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--scene", action="append", choices=SCENES)
    parser.add_argument("--page", default="", help="only pages whose name begins so")
    parser.add_argument("--whole", action="store_true", help="all that can be scrolled to")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for scene in asked.scene or SCENES:
            take(scene, asked, browser)
    print(f"see {asked.folder}")


if __name__ == "__main__":
    main()
