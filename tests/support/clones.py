"""Clones of the project, as its user has one, in which services are made and removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from shopmesh.cli import main
from tests.support.process import BIN

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **os.environ,
    "NO_COLOR": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    **{f"GIT_{who}_NAME": "user" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "user@example.com" for who in ("AUTHOR", "COMMITTER")},
}
"""For a program of a user who has a name, as git asks."""
SHOPMESH = (sys.executable, "-c", "from shopmesh.cli import main; main()")


class Clone:
    """The files of this working tree that are not ignored, committed in a repository of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.variables: dict[str, str] = {}
        """Further variables of its commands' environment."""
        named = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout.split("\0")
        for name in named:
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        self.git("init", "--quiet")
        self.commit()
        self.first = self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        return self._run("git", *arguments)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a step")

    def shopmesh(self, *arguments: str) -> str:
        """What a command prints; it has to succeed, and is committed, as the page says."""
        said = self._run(*SHOPMESH, *arguments)
        self.commit()
        return said

    def refused(self, *arguments: str) -> str:
        """The one line that a refused command has to say; nothing of the clone was changed."""
        before = self.git("status", "--porcelain", "--ignored")
        with contextlib.chdir(self.root):
            line = refused(*arguments)
        assert before == self.git("status", "--porcelain", "--ignored")
        return line

    def back(self) -> None:
        """To the beginning."""
        self.git("reset", "--quiet", "--hard", self.first)
        # Programs that ran leave compiled code in the folders of services that are gone.
        self.git("clean", "--quiet", "--force", "-d", "-x")

    def changed(self) -> str:
        """What is other than it was at the beginning."""
        self.git("add", "--all")
        return self.git("diff", "--cached", "--name-status", "--no-renames", self.first)

    def tool(self, *arguments: str | Path) -> str:
        """A program of this environment, run in the clone."""
        name, *rest = arguments
        return self._run(BIN / name, *rest)

    def bash(self, commands: str) -> str:
        """A script of a page, with the programs of this environment."""
        return self._run("bash", "-euo", "pipefail", "-c", commands)

    def _run(self, *command: str | Path) -> str:
        done = subprocess.run(
            command,
            cwd=self.root,
            # What is imported is the clone's.
            env={
                **ENVIRONMENT,
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "PYTHONPATH": f"{self.root / 'src'}:{self.root}",
                **self.variables,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        assert 0 == done.returncode, f"{command}\n{done.stdout[-6000:]}{done.stderr[-3000:]}"
        return done.stdout


def refused(*arguments: str) -> str:
    """The one line that a command has to say which is refused in this folder."""
    done = CliRunner().invoke(main, arguments)
    assert 1 == done.exit_code, done.output
    (line,) = done.stderr.splitlines()
    return line
