"""The command line: the composition root; only it reads arguments and environment variables. Imports all packages.

    shopmesh [--endpoint-url …] COMMAND ─► COMMANDS (name → module:attribute) ─► the command, imported when called

Exit status: 0 success; 1 failure, with one line on standard error that says what to do; 2 invalid command line.
Start reading at `COMMANDS`, then at a command such as `mesh.status`.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple

import click

from shopmesh import defaults
from shopmesh.cli.errors import as_click_error
from shopmesh.cli.output import echo_document
from shopmesh.cli.settings import Settings
from shopmesh.cli.suggestions import closest
from shopmesh.output.encoding import write_any_character
from shopmesh.output.logs import format_last_resort


class CommandEntry(NamedTuple):
    """Where a command is defined, and its line in `shopmesh --help`, which imports none of them."""

    target: str
    summary: str

    @property
    def room(self) -> str:
        """`laptop`, `mesh` or `operator`."""
        return self.target.split(".")[2]


SECTIONS = {
    "laptop": "Commands for a mesh on this machine",
    "mesh": "Commands for any running mesh",
    "operator": "Commands for operators and Kubernetes",
}
COMMANDS = {
    name: CommandEntry(f"shopmesh.cli.{module}:{name.replace('-', '_')}", summary)
    for name, module, summary in (
        ("up", "laptop.up", "Run a whole mesh on this machine until Ctrl-C."),
        ("env", "laptop.env", "Print variables that point `aws` at this mesh, for `eval`."),
        ("demo", "laptop.up", "Run the webinar: two canary releases under load, and a verdict."),
        ("start", "laptop.up", "Start another workload in the running mesh."),
        ("stop", "laptop.up", "Stop a workload without losing a request."),
        ("logs", "laptop.logs", "Show what the programs of a mesh on this machine printed."),
        ("init", "laptop.new", "Create a project of your own, with the demo to begin with."),
        ("new", "laptop.new", "Create a service of your own, or a new version of one."),
        ("remove", "laptop.new", "Remove a service or version, with all that `new` created."),
        ("console", "mesh.console", "Open the console in a browser, signed in by a link."),
        ("status", "mesh.status", "Show services, weights, traffic, proxies and findings."),
        ("proxy-config", "mesh.proxy_config", "Show the configuration that a proxy was sent."),
        ("doctor", "mesh.doctor", "Report what is wrong, why it matters, and how to fix it."),
        ("route", "mesh.route", "Show or change the weights of a service's versions."),
        ("canary", "mesh.canary", "Release a version step by step; roll back if it fails."),
        ("load", "mesh.load", "Send requests at a given rate and report who answered."),
        ("wait", "mesh.wait", "Wait until an instance receives requests, or is gone."),
        ("apply", "mesh.apply", "Create or update resources from files."),
        ("get", "mesh.get", "List resources, or print them as YAML or JSON."),
        ("describe", "mesh.get", "Show one resource, what it uses and what uses it."),
        ("export", "mesh.export", "Write the mesh as manifests, App Mesh JSON or Gateway API."),
        ("delete", "mesh.apply", "Delete resources by name, or those that files declare."),
        ("version", "mesh.version", "Print the versions of this command and the control plane."),
        ("completion", "laptop.completion", "Print what makes bash, zsh or fish complete commands."),
        ("crds", "operator.crds", "Print the CustomResourceDefinitions of App Mesh."),
        ("inject", "operator.inject", "Add sidecars to Kubernetes workloads in files."),
        ("serve", "operator.serve", "Run only the control plane."),
        ("keys", "operator.keys", "Create credentials for the API and a token for xDS."),
        ("bootstrap", "operator.bootstrap", "Print the bootstrap configuration of a sidecar."),
    )
}


def print_version(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    """The callback of `--version`."""
    if given and not ctx.resilient_parsing:
        from shopmesh.cli.mesh.version import describe_build

        echo_document(describe_build())
        ctx.exit()


class LazyGroup(click.Group):
    """Imports a command when it is called, and reports known errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name].target} is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = closest(args[0], COMMANDS)
            hint = f"did you mean {close!r}?" if close else "`shopmesh --help` lists the commands"
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for room, title in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(12), entry.summary) for name, entry in COMMANDS.items() if entry.room == room]
                )

    def invoke(self, ctx: click.Context) -> object:
        with as_click_error():
            return super().invoke(ctx)


@click.group(
    cls=LazyGroup,
    name="shopmesh",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  shopmesh up                               run the demo's mesh here
  shopmesh status --watch                   see what happens in it
  shopmesh route product product-v2-vn=50   send half the traffic to 2.0
  shopmesh apply -f mesh/ --dry-run         preview what files would change
  shopmesh get virtualnode -o yaml          print virtual nodes as manifests

`shopmesh COMMAND --help` shows the options and examples of a command.

Exit status: 0 success; 1 failure; 2 invalid command line.
""",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Print the versions of shopmesh, Envoy and Python, and exit.",
)
@click.option(
    "--endpoint-url",
    envvar=["SHOPMESH_ENDPOINT_URL", "AWS_ENDPOINT_URL_APP_MESH"],
    default=defaults.ENDPOINT_URL,
    show_default=True,
    show_envvar=True,
    help="URL of the control plane's API.",
)
@click.option(
    "--region",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    default=defaults.REGION,
    show_default=True,
    help="AWS region that requests are signed for.",
)
@click.option("--mesh", envvar="SHOPMESH_MESH", help="Name of the mesh; optional while there is only one.")
@click.pass_context
def main(ctx: click.Context, endpoint_url: str, region: str, mesh: str | None) -> None:
    """Run AWS App Mesh yourself: a control plane that speaks App Mesh's API, and stock Envoy sidecars.

    New here? `shopmesh up` starts a mesh of three services on this machine, and `shopmesh demo` releases two new
    versions in it under load.
    """
    format_last_resort()
    write_any_character()
    ctx.obj = Settings(endpoint_url, region, mesh)
    ctx.color = ctx.obj.color
