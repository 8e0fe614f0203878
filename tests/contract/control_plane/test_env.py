"""`eval "$(shopmesh env)"`: a terminal that is prepared for `aws`, whatever was in it before."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from shopmesh.cli import main
from shopmesh.cli.laptop.env import UNSET_VARIABLES
from shopmesh.local.access import RUN_FOLDER, AccessFiles, ServedEndpoint, nearest_run_folder
from tests.contract.control_plane.conftest import SERVE
from tests.support.access import FOREIGN_VARIABLES
from tests.support.process import BIN, running

HOSTILE_NAMES = (
    "plain",
    "with space",
    "it's",
    'a "quote"',
    "$(touch pwned)",
    "`touch pwned`",
    "back\\slash",
    "*",
    "-n",
)


def in_shell(script: str, folder: Path, environment: Mapping[str, str] = FOREIGN_VARIABLES, shell: str = "sh") -> str:
    """What a script prints; `shopmesh` and `aws` are those of this environment."""
    done = subprocess.run(
        [shell, "-euc", script],
        cwd=folder,
        env={"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def published(project: Path, run_folder: str = ".shopmesh") -> AccessFiles:
    access = AccessFiles(project / run_folder)
    access.create_key()
    access.publish(ServedEndpoint("http://127.0.0.1:9081", "us-west-2", os.getpid()))
    return access


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which a control plane runs."""
    folder = tmp_path_factory.mktemp("it's a project")
    (folder / "mesh").mkdir()
    command = (*SERVE, "--api-port", "0", "--xds-port", "0", "--region", "us-west-2")
    with running(command, cwd=folder) as child:
        child.wait_for(lambda: re.search(r"API on http://\S+?:\d+, xDS", child.output), "it listens")
        yield folder


@pytest.mark.parametrize("version", ["2019-01-25", "2018-10-01"])
def test_aws_talks_to_the_mesh_from_a_shell_with_another_account_s_variables(project: Path, version: str) -> None:
    """A real `aws`, in JSON, with the right key, region and endpoint; twice prepared is as good as once."""
    prepare = f'eval "$(shopmesh env --api-version {version})"'
    said = in_shell(f"{prepare}; {prepare}; aws appmesh create-mesh --mesh-name m; aws appmesh list-meshes", project)

    assert "arn:aws:appmesh:us-west-2:123456789012:mesh/m" in said
    assert '"meshes"' in said
    in_shell(f"{prepare}; aws appmesh delete-mesh --mesh-name m", project)


def test_the_version_of_the_api_is_the_one_asked_for(project: Path) -> None:
    """The webinar's scripts need the first; everything else wants the last."""
    tell = (
        "aws appmesh help >/dev/null; aws appmesh tag-resource --resource-arn arn:x --tags key=a,value=b 2>&1 || true"
    )
    latest = in_shell(f'eval "$(shopmesh env)"; {tell}', project)
    preview = in_shell(f'eval "$(shopmesh env --api-version 2018-10-01)"; {tell}', project)

    assert "Invalid choice" not in latest
    assert "Invalid choice" in preview


def test_shopmesh_follows_from_any_folder(project: Path, tmp_path: Path) -> None:
    """What `aws` reaches in that terminal, `shopmesh` reaches as well."""
    said = in_shell(
        f'eval "$(shopmesh env --run-dir {shlex.quote(str(project / ".shopmesh"))})"; shopmesh doctor', tmp_path
    )

    assert "SM30" not in said


def test_a_folder_below_the_project_is_as_good(project: Path) -> None:
    """As git finds its repository."""
    below = project / "some" / "folder"
    below.mkdir(parents=True, exist_ok=True)

    assert "list" not in in_shell('eval "$(shopmesh env)"; aws appmesh list-meshes --query meshes', below)
    assert project / ".shopmesh" == nearest_run_folder(below)


def test_the_nearest_project_counts(project: Path) -> None:
    """One whose mesh has not run yet is not taken for the one around it."""
    inner = project / "inner"
    (inner / "mesh").mkdir(parents=True)

    done = CliRunner().invoke(main, ["env", "--run-dir", str(inner / ".shopmesh")])
    assert nearest_run_folder(inner) == RUN_FOLDER
    assert nearest_run_folder(inner / "mesh") == project / ".shopmesh"
    assert 1 == done.exit_code


def test_a_wrong_folder_makes_eval_fail(tmp_path: Path) -> None:
    """A script ends before its next `aws` goes to the user's own account; a person reads why."""
    script = 'eval "$(shopmesh env)"; echo went on'
    done = subprocess.run(
        ["sh", "-euc", script],
        cwd=tmp_path,
        env={"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 != done.returncode
    assert "went on" not in done.stdout
    assert "nothing was set, and `aws` still uses your own account" in done.stderr


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("shell", [one for one in ("sh", "bash", "dash", "zsh") if shutil.which(one)])
def test_any_path_is_quoted(tmp_path: Path, name: str, shell: str) -> None:
    """Blanks, quotes and commands in a folder's name are a name."""
    (tmp_path / name).mkdir()
    access = published(tmp_path / name)
    said = in_shell(
        'eval "$(shopmesh env)"; printf "%s\\n" "$AWS_CONFIG_FILE" "$AWS_SHARED_CREDENTIALS_FILE"',
        tmp_path / name,
        shell=shell,
    )

    assert [str(access.config_file()), str(access.credentials_file)] == said.splitlines()
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_any_path_is_quoted_for_fish(tmp_path: Path, name: str) -> None:
    """Fish has quotes and commands of its own."""
    (tmp_path / name).mkdir()
    access = published(tmp_path / name)
    script = 'shopmesh env --shell fish | source; printf "%s\\n" $AWS_CONFIG_FILE; set -q AWS_PROFILE; and exit 1; true'
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=tmp_path / name,
        env=FOREIGN_VARIABLES | {"PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (0, [str(access.config_file())]) == (done.returncode, done.stdout.splitlines())


def test_fish_quotes_are_fish_s_own(tmp_path: Path) -> None:
    """Inside of single quotes only a backslash and the quote itself mean something."""
    folder = tmp_path / "it's \\ $HOME"
    folder.mkdir()
    published(folder, "run")
    said = CliRunner().invoke(main, ["env", "--run-dir", str(folder / "run"), "--shell", "fish"]).output

    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    assert f"set --global --export AWS_CONFIG_FILE '{quoted}/run/aws/config'\n" in said
    assert {f"set --erase {name}" for name in UNSET_VARIABLES} <= set(said.splitlines())


def test_what_leads_elsewhere_is_gone_afterwards(project: Path) -> None:
    """Nothing of another account is left, and the two files are those of the run folder."""
    script = 'eval "$(shopmesh env)"; python3 -c "import json, os; print(json.dumps(dict(os.environ)))"'
    after = json.loads(in_shell(script, project))

    assert not set(UNSET_VARIABLES) & after.keys()
    assert not set(FOREIGN_VARIABLES.values()) & set(after.values())
    assert {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION"} == {
        name for name in after if name.startswith("AWS_")
    }


def test_it_says_what_to_do_where_no_control_plane_has_run(tmp_path: Path) -> None:
    """For `eval` it prints a command that fails, and nothing that changes the shell."""
    result = CliRunner().invoke(main, ["env", "--run-dir", str(tmp_path / "none")])

    assert (1, "false\n") == (result.exit_code, result.stdout)
    assert "shopmesh up" in result.stderr
