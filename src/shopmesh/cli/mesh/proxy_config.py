"""`shopmesh proxy-config`: the configuration of one proxy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from shopmesh.cli.output import echo, echo_diff, echo_document
from shopmesh.cli.proxy_names import complete_proxy, resolve_proxy
from shopmesh.cli.settings import Settings

if TYPE_CHECKING:
    from shopmesh.client import ProxyConfig

TYPES = ("clusters", "listeners", "routes", "endpoints", "secrets")


@click.command(
    name="proxy-config",
    epilog="""\b
Examples:
  shopmesh proxy-config order-vn-1
  shopmesh proxy-config order-vn-1 routes -o yaml
  shopmesh proxy-config order-vn-1 clusters --diff
  shopmesh proxy-config order-vn-1 -o json | jq .types.clusters

\b
PROXY as `shopmesh status` prints it; NODE where the node has one proxy, or
NODE/PROXY where several nodes have a proxy of that name.

\b
States of a resource:
  acknowledged    the proxy uses it
  sent            the proxy has not answered yet
  refused         the proxy keeps what it had; see `doctor` for its reason
  waiting         for something that the proxy must acknowledge first
  not requested   the proxy has not asked for it

\b
Private keys, passwords and tokens are not shown. The former configuration is
kept in the control plane's memory and lost when it restarts.
""",
)
@click.argument("proxy", shell_complete=complete_proxy)
@click.argument("kind", metavar="[" + "|".join(TYPES) + "]", type=click.Choice(TYPES), required=False)
@click.option("-o", "--output", type=click.Choice(["table", "yaml", "json"]), default="table", show_default=True)
@click.option("--former", is_flag=True, help="Show the configuration before the last change instead.")
@click.option("--diff", is_flag=True, help="Show how the last change of it differs from the one before.")
@click.pass_obj
def proxy_config(settings: Settings, proxy: str, kind: str | None, output: str, former: bool, diff: bool) -> None:
    """Show the configuration that PROXY was sent: all types, or one of them."""
    from shopmesh.cli.views.proxy_view import diff_lines, render
    from shopmesh.cli.views.tables import show
    from shopmesh.documents import as_yaml

    if diff and (former or output != "table"):
        raise click.UsageError("--diff prints a text of both configurations: leave out --former and --output")
    with settings.client() as client:
        mesh = settings.require_mesh(client)
        found = resolve_proxy([one for one in client.proxies() if one["mesh"] == mesh], proxy)
        types = TYPES if kind is None else (kind,)
        config: ProxyConfig = client.proxy_config(found, types, "former" if former or diff else "current")
        now = client.proxy_config(found, types) if diff else config
    if diff:
        lines = list(diff_lines(config, now))
        if lines:
            echo_diff(lines)
        else:
            echo(f"the last change made no difference in the {kind or 'types'}", err=True)
        return
    match output:
        case "json":
            echo_document(json.dumps(config, indent=2))
        case "yaml":
            echo_document(as_yaml([config]))
        case _:
            show(render(config), settings.color)
