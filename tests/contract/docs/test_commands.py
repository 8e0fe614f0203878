"""Every command that a page or a help text shows is one that its program accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.documented import (
    PAGES,
    ROOT,
    Command,
    commands,
    examples,
    mention_problem,
    mentions,
    problem,
    shell_text,
    simple_commands,
    unmarked_commands,
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_programs_accept_the_commands_of_the_page(page: Path) -> None:
    """No option, command, target, service, profile, folder or operation is misspelt."""
    problems = [f"{command}: {problem(command)}" for command in commands(page) if problem(command)]
    problems += [f"{command}: {mention_problem(command)}" for command in mentions(page) if mention_problem(command)]

    assert [] == problems


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_block_of_commands_is_marked_as_one(page: Path) -> None:
    """A block without a language would be left out of these tests."""
    assert [] == unmarked_commands(page)


def test_the_programs_accept_the_examples_of_the_help_texts() -> None:
    """What --help shows can be typed."""
    shown = list(examples())

    assert [] == [f"{command}: {problem(command)}" for command in shown if problem(command)]
    assert len(shown) > 40


@pytest.mark.parametrize(
    "line",
    [
        "shopmesh route product product-v2-vn=50 --tiemout 3",
        "shopmesh canary product product-v2-vn",
        "shopmesh statsu",
        "(sleep 1; exec shopmesh up --rest) > log 2>&1 &",
        'eval "$(shopmesh env --shel fish)"',
        "make dmeo",
        "make new NMAE=inventory",
        "docker compose run --rm cil demo",
        "docker compose --profile laod up --detach",
        "docker compose exec -T control-plane shopmesh staus",
        "kubectl apply -k k8s/overlays/loacl",
        "kubectl get pods --wach",
        "kubectl exec deployment/control-plane -- shopmesh staus",
        "aws appmesh lst-meshes",
        "aws appmesh list-virtual-nodes --mesh shopmesh",
        "shopmehs status",
        "tests/k8s/clutser.sh",
    ],
)
def test_a_command_that_its_program_refuses_is_found(line: str) -> None:
    """A misspelt one does not pass, wherever in a line it stands."""
    assert [found for words in simple_commands(line) if (found := problem(Command("README.md", words)))]


@pytest.mark.parametrize("text", ["shopmesh canary product --pauze", "make tset", "shopmesh rout"])
def test_a_mention_of_what_does_not_exist_is_found(text: str) -> None:
    """In a sentence arguments may be missing, names and options must exist."""
    assert [found for words in simple_commands(text) if (found := mention_problem(Command("README.md", words)))]


def test_the_words_of_a_command_are_those_of_a_shell() -> None:
    """Assignments, redirections, comments, here-documents and the output of a console are not words of it."""
    script = shell_text(
        "console",
        "$ A=1 curl -d '{\n  \"a\": 1}' http://h/ | jq . > out 2>&1   # it's\nan answer | of it\n$ cd x && ls\n",
    )

    assert [("curl", "-d", '{\n  "a": 1}', "http://h/"), ("jq", "."), ("cd", "x"), ("ls",)] == list(
        simple_commands(script)
    )
    assert [("cat",), ("shopmesh", "get")] == list(simple_commands("cat > f <<'X'\nshopmesh nothing\nX\nshopmesh get"))


def test_files_are_edited_as_every_sed_does_it() -> None:
    """`sed -i` alone is GNU's: macOS and BSD take the next word for a suffix."""
    edits = [command for page in PAGES for command in commands(page) if command.words[:1] == ("sed",)]

    assert [] == [str(command) for command in edits if "-i" in command.words]
    assert [command for command in edits if "-i.bak" in command.words]
