"""docs/messages.md lists what the code says."""

from __future__ import annotations

import ast

from tests.messages import PAGE, Message, messages, page


def test_the_page_lists_every_message() -> None:
    """A sentence that changes can be read there beside all others."""
    assert page() == PAGE.read_text(), "write it anew with `make messages`"


def test_errors_logs_output_and_help_are_found() -> None:
    """Joined texts are one sentence, and what is filled in stands in braces."""
    source = """
raise ConfigError(f"the port {port} is taken; " "choose another")
log.warning("no answer from %s", host)
echo("2 proxies are in sync")
click.option("--port", help="Port of the API.")
"""

    assert [
        Message("error", "the port {port} is taken; choose another"),
        Message("log", "no answer from %s"),
        Message("output", "2 proxies are in sync"),
        Message("help", "Port of the API."),
    ] == list(dict.fromkeys(messages(ast.parse(source))))
