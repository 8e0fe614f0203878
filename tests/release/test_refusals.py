"""When no release is made: one sentence says why, and nothing is left behind."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.release.conftest import VERSION, Maintainer
from tests.support.repository import ROOT
from tests.support.ssh_keys import Signer


def add_a_file(maintainer: Maintainer) -> None:
    (maintainer.clone.root / "notes.txt").touch()


def lose_the_entry(maintainer: Maintainer) -> None:
    rewrite_the_heading(maintainer, "## 0.0.1 (2026-01-02)")


def leave_the_entry_unreleased(maintainer: Maintainer) -> None:
    rewrite_the_heading(maintainer, f"## {VERSION} (unreleased)")


def rewrite_the_heading(maintainer: Maintainer, heading: str) -> None:
    changelog = maintainer.clone.root / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(f"## {VERSION} (2026-01-02)", heading))
    maintainer.clone.commit()
    maintainer.pass_tests()


def forget_the_tests(maintainer: Maintainer) -> None:
    (maintainer.clone.root / ".ci" / "passed").unlink()


def change_after_the_tests(maintainer: Maintainer) -> None:
    (maintainer.clone.root / "later.txt").write_text("one line\n")
    maintainer.clone.commit()


def keep_an_earlier_release(maintainer: Maintainer) -> None:
    (maintainer.clone.root / "dist" / VERSION).mkdir(parents=True)


@pytest.fixture(scope="module")
def maintainer(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Maintainer:
    """One whose clone is changed by these tests."""
    return Maintainer(tmp_path_factory.mktemp("refused"), signer.key)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (add_a_file, r"the tree is not clean: commit or remove notes\.txt"),
        (lose_the_entry, rf"CHANGELOG\.md has no entry {VERSION}, the version of pyproject\.toml"),
        (leave_the_entry_unreleased, rf"CHANGELOG\.md does not say when {VERSION} is released: write its day, .*"),
        (forget_the_tests, r"the tests have not passed for tree \w{12}, there is no \.ci/passed: run \.ci/run"),
        (change_after_the_tests, r"the tests .* for tree \w{12}, the last run passed for tree \w{12}: run \.ci/run"),
        (keep_an_earlier_release, rf"dist/{VERSION} exists: remove it to make it again"),
    ],
)
def test_no_release_is_made(maintainer: Maintainer, spoil: Callable[[Maintainer], None], reason: str) -> None:
    spoil(maintainer)
    try:
        done = maintainer.make()
    finally:
        maintainer.clone.git("clean", "--quiet", "-dx", "--force")
        maintainer.clone.back()
        maintainer.pass_tests()

    assert 1 == done.returncode
    assert re.fullmatch(f"error: {reason}\n", done.stderr), done.stderr
    assert "" == done.stdout


def test_a_key_that_is_not_there_is_named(maintainer: Maintainer) -> None:
    """Before anything is built."""
    done = maintainer.release("make", "--key", "nowhere")

    assert (1, "error: there is no key nowhere\n") == (done.returncode, done.stderr)


def test_every_run_of_all_tests_says_which_tree_has_passed() -> None:
    """Last of all, since `set -e` ends it at the first tier that fails; a run that fails leaves no earlier word."""
    script = (ROOT / ".ci" / "run").read_text()
    after_the_tiers = script.rpartition("\nmake ")[2]

    assert script.index("rm -f .ci/passed") < script.index("make setup")
    assert 'echo "$tree" >.ci/passed' in after_the_tiers
    assert 0 == subprocess.run(["git", "check-ignore", "--quiet", ".ci/passed"], cwd=ROOT, timeout=20).returncode
