"""The console in chromium: tabs of which each complaint fails the test."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.process import eventually

CHROMIUM = shutil.which("chromium")
SIZES = {"desk": (1360, 860), "phone": (390, 844)}
_REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile, lineNumber }) =>
  console.error("policy: " + [violatedDirective, blockedURI, sourceFile, lineNumber].join(" ")));
"""


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Debian's chromium, driven by playwright; as root, which containers are, it has no sandbox."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@dataclass
class Tab:
    """One tab. `complaints`: what violates the content security policy, fails in the page, or leaves the machine."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    """Regular expressions of complaints that a test expects."""

    def watch(self) -> None:
        self.page.add_init_script(_REPORT_VIOLATIONS)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("console", lambda message: self._on_message(message.type, message.text))
        self.page.on("request", lambda request: self._on_request(request.url))

    def _on_message(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(f"{kind}: {text}")

    def _on_request(self, url: str) -> None:
        if not url.startswith("http://127.0.0.1:"):
            self.complaints.append(f"request: {url}")

    def unexpected(self) -> list[str]:
        return [one for one in self.complaints if not any(re.search(known, one) for known in self.allowed)]

    def wait_until_live(self) -> None:
        """Until the stream has sent the state of the mesh."""
        from playwright.sync_api import TimeoutError as NotInTime

        live = self.page.locator(".connection .badge.good")
        try:
            live.wait_for(timeout=10_000)
        except NotInTime:
            # Chromium breaks off requests when an interface of the machine comes or goes, as those of containers do.
            self.complaints = [one for one in self.complaints if "ERR_NETWORK_CHANGED" not in one]
            self.page.reload()
            live.wait_for()

    def show(self, address: str) -> None:
        """Go to a page of the console: `#/traffic?service=…`."""
        self.page.evaluate("address => { location.hash = address }", address)

    def wait_for_address(self, part: str) -> None:
        """Until the address holds this text; `page.url` follows a moment after the page."""
        eventually(lambda: part in self.page.evaluate("location.hash"), f"the address holds {part}")

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def module(self, path: str, expression: str, *arguments: Any) -> Any:
        """The value of an expression over `module`, one of static/, and `given`, the arguments."""
        return self.page.evaluate(
            f"async given => {{ const module = await import('/console/static/{path}'); return {expression}; }}",
            list(arguments),
        )


def wait(tab: Tab, condition: Any, what: str) -> None:
    """As `eventually`; what a browser reports arrives while the test waits in it."""

    def probe() -> bool:
        tab.page.wait_for_timeout(20)
        return bool(condition())

    eventually(probe, what)


class Tabs:
    """Opens tabs of one browser, each signed in by a link of its own, and collects what they complain of."""

    def __init__(self, browser: Any, link: Callable[[], str]) -> None:
        self._browser = browser
        self.new_link = link
        self._tabs: list[Tab] = []
        self._contexts: list[Any] = []

    def open(
        self, address: str = "", size: str = "desk", scheme: str = "light", context: Any = None, signed_in: bool = True
    ) -> Tab:
        """A tab of a new browser profile, or of that of `context`, in which somebody is signed in already."""
        fresh = context is None
        if context is None:
            width, height = SIZES[size]
            context = self._browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
            )
            self._contexts.append(context)
        tab = Tab(context.new_page())
        tab.watch()
        self._tabs.append(tab)
        link = self.new_link()
        shell = link.partition("#")[0]
        tab.page.goto(link if fresh and signed_in else shell)
        if signed_in:
            tab.wait_until_live()
            if address:
                tab.show(address)
        return tab

    def close(self) -> Sequence[str]:
        """Close all; what they complained of."""
        for context in self._contexts:
            context.close()
        return [complaint for tab in self._tabs for complaint in tab.unexpected()]
