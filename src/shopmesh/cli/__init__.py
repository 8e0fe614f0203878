"""The command line: the composition root, and the only reader of arguments and environment.

    shopmesh [--endpoint-url …] COMMAND ─► COMMANDS (name → module:attribute) ─► the command, imported when it is called

Exit status: 0 done; 1 it failed, with one line on standard error that says what to do; 2 the command line is wrong.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple

import click

from shopmesh import defaults
from shopmesh.cli.errors import as_click_error
from shopmesh.cli.settings import Settings
from shopmesh.output.logs import format_last_resort


class CommandEntry(NamedTuple):
    """Where a command is, and its line in the list of commands: the list must not import all of them."""

    target: str
    summary: str


COMMANDS = {
    "up": CommandEntry("shopmesh.cli.laptop.up:up", "Run the whole mesh on this machine, until Ctrl-C."),
    "env": CommandEntry(
        "shopmesh.cli.laptop.env:env", "Print the variables that let `aws` talk to this machine's mesh, for eval."
    ),
    "demo": CommandEntry(
        "shopmesh.cli.laptop.up:demo", "Play the webinar: two canary releases under load, nothing lost."
    ),
    "start": CommandEntry("shopmesh.cli.laptop.up:start", "Start a workload beside those that run."),
    "stop": CommandEntry("shopmesh.cli.laptop.up:stop", "Stop a workload and take it out of the mesh."),
    "load": CommandEntry(
        "shopmesh.cli.mesh.load:load", "Send requests at their planned times, and report who answered."
    ),
    "status": CommandEntry(
        "shopmesh.cli.mesh.status:status", "Show the mesh at a glance: who gets how much, and what is wrong."
    ),
    "doctor": CommandEntry("shopmesh.cli.mesh.doctor:doctor", "Say what is wrong, why it hurts, and what to do."),
    "wait": CommandEntry("shopmesh.cli.mesh.wait:wait", "Wait until an instance takes requests, or is gone."),
    "route": CommandEntry("shopmesh.cli.mesh.route:route", "Show or shift the weights of a service's versions."),
    "canary": CommandEntry(
        "shopmesh.cli.mesh.canary:canary", "Release a version step by step; it turns back by itself."
    ),
    "apply": CommandEntry(
        "shopmesh.cli.mesh.apply:apply", "Create or update what manifests, JSON or templates declare."
    ),
    "get": CommandEntry("shopmesh.cli.mesh.get:get", "List resources, or print them as manifests or JSON."),
    "describe": CommandEntry(
        "shopmesh.cli.mesh.get:describe", "Show one resource, with what it uses and what uses it."
    ),
    "export": CommandEntry(
        "shopmesh.cli.mesh.export:export", "Write the mesh as manifests, App Mesh JSON, or Gateway API."
    ),
    "delete": CommandEntry("shopmesh.cli.mesh.apply:delete", "Delete resources, by name or by manifest."),
    "new": CommandEntry("shopmesh.cli.laptop.new:new", "Make a service of your own, or a later version of one."),
    "remove": CommandEntry(
        "shopmesh.cli.laptop.new:remove", "Take a service out again, with all that was made for it."
    ),
    "crds": CommandEntry(
        "shopmesh.cli.operator.crds:crds", "Write the CustomResourceDefinitions for a Kubernetes cluster."
    ),
    "inject": CommandEntry("shopmesh.cli.operator.inject:inject", "Put sidecars into Kubernetes workloads in files."),
    "serve": CommandEntry("shopmesh.cli.operator.serve:serve", "Run the control plane alone."),
    "keys": CommandEntry(
        "shopmesh.cli.operator.keys:keys", "Make the credentials and the token of a new control plane."
    ),
    "bootstrap": CommandEntry(
        "shopmesh.cli.operator.bootstrap:bootstrap", "Write the configuration that a sidecar starts with."
    ),
}


class LazyGroup(click.Group):
    """Imports a command when it is called, and turns known errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name].target} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        with as_click_error():
            return super().invoke(ctx)


@click.group(
    cls=LazyGroup,
    name="shopmesh",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  shopmesh up                               the demo's mesh on this machine
  shopmesh status --watch                   what happens in it
  shopmesh route product product-v2-vn=50   half of product's traffic to 2.0
  shopmesh apply -f mesh/ --dry-run         what the manifests would change
  shopmesh get virtualnode -o yaml          the nodes as manifests

\b
Exit status: 0 done; 1 it failed; 2 the command line is wrong.
""",
)
@click.version_option(package_name="shopmesh", message="%(prog)s %(version)s")
@click.option(
    "--endpoint-url",
    envvar=["SHOPMESH_ENDPOINT_URL", "AWS_ENDPOINT_URL_APP_MESH"],
    default=defaults.ENDPOINT_URL,
    show_default=True,
    show_envvar=True,
    help="The control plane's API.",
)
@click.option(
    "--region",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    default=defaults.REGION,
    show_default=True,
    help="Region that requests are signed for.",
)
@click.option("--mesh", envvar="SHOPMESH_MESH", help="The mesh that is meant; may be left out when there is one.")
@click.pass_context
def main(ctx: click.Context, endpoint_url: str, region: str, mesh: str | None) -> None:
    """App Mesh on your own machine: three services, stock Envoy sidecars, one control plane."""
    format_last_resort()
    ctx.obj = Settings(endpoint_url, region, mesh)
    ctx.color = ctx.obj.color
