"""`shopmesh console`: a link that signs a browser in to the console."""

from __future__ import annotations

import contextlib
import os
import sys
from urllib.parse import urlsplit

import click

from shopmesh.cli.output import echo, echo_document
from shopmesh.cli.settings import Settings

LINK_SECONDS = 60.0


@click.command(
    epilog="""\b
Examples:
  shopmesh console
  shopmesh console --no-open             only print the link
  docker compose exec control-plane shopmesh console
  kubectl -n shopmesh-system exec deploy/control-plane -- shopmesh console

The link works once, within a minute. It signs a browser in for twelve hours, or until the access key is removed.
"""
)
@click.option(
    "--url",
    metavar="URL",
    envvar="SHOPMESH_CONSOLE_URL",
    show_envvar=True,
    help="URL at which the browser reaches the control plane.  [default: --endpoint-url]",
)
@click.option("--no-open", "--print", "no_open", is_flag=True, help="Print the link, and open no browser.")
@click.pass_obj
def console(settings: Settings, url: str | None, no_open: bool) -> None:
    """Open the console in a browser; print the link where there is no browser."""
    with settings.client() as client:
        link = client.console_link(LINK_SECONDS, _check_url(url) if url else None)
    echo_document(link)
    # Who reads the output of the command, such as a script or `docker compose exec -T`, opens the link.
    if not no_open and sys.stdout.isatty() and _has_screen() and _open_browser(link):
        echo("It opens in your browser.", err=True)
    elif "#" in link:
        echo("Open it within a minute; it works once.", err=True)


def _check_url(url: str) -> str:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and not parts.path.strip("/"):
            return f"{parts.scheme}://{parts.netloc}"
    raise click.BadParameter(f"{url!r} is not of the form http://HOST:PORT", param_hint="--url")


def _has_screen() -> bool:
    """Whether a browser with windows can be shown; one in the terminal runs no scripts, so it cannot sign in."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _open_browser(link: str) -> bool:
    """Whether a browser was started."""
    import webbrowser

    try:
        return webbrowser.open(link)
    except webbrowser.Error:
        return False
