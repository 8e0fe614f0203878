"""The key that a control plane on this machine makes for itself: who has it, and where it goes."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopmesh.client import Client, ResponseError
from shopmesh.local.access import AccessFiles, ServedEndpoint, open_client
from tests.contract.control_plane.conftest import SERVE, serving
from tests.support.access import FOREIGN_VARIABLES
from tests.support.process import Child, free_port, running
from tests.support.strangers import needs_root, opening

SHOPMESH = SERVE[:-1]
REAL = {
    name: FOREIGN_VARIABLES[name]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
}


@contextlib.contextmanager
def started(project: Path, *options: str, port: int = 0) -> Iterator[tuple[Child, int]]:
    """`shopmesh serve` in a project's folder, as its user starts it, and its port."""
    (project / "mesh").mkdir(exist_ok=True)
    command = (*SERVE, "--api-port", str(port), "--xds-port", "0", *options)
    with running(command, env=REAL, cwd=project) as child:
        said = child.wait_for(lambda: re.search(r"API on http://\S+?:(\d+), xDS", child.output), "its port")
        yield child, int(said[1])


def shopmesh(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SHOPMESH, *arguments],
        cwd=project,
        env={**os.environ, **REAL, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def status_of(port: int, method: str, path: str, body: str | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_unsigned_requests_are_refused_without_being_asked_to(tmp_path: Path) -> None:
    """Another user's program reaches the port, and gets nothing but health; nobody had to give an option for that."""
    with started(tmp_path) as (_, port):
        assert 200 == status_of(port, "GET", "/healthz")
        for method, path in (
            ("GET", "/v20190125/meshes"),
            ("PUT", "/v20190125/meshes"),
            ("PUT", "/meshes"),
            ("POST", "/shopmesh/v1/requests"),
            ("POST", "/shopmesh/v1/canaries"),
            ("GET", "/shopmesh/v1/proxies"),
        ):
            assert 403 == status_of(port, method, path, "{}" if method != "GET" else None), path
        # Prometheus cannot sign: it brings the token of the proxies.
        assert 401 == status_of(port, "GET", "/metrics")
        with Client(f"http://127.0.0.1:{port}") as stranger, pytest.raises(ResponseError):
            stranger.proxies()


def test_the_key_is_for_its_user_alone_and_stays(tmp_path: Path) -> None:
    """Mode 0600 in folders of mode 0700, whatever the umask; the next start has the same."""
    access = AccessFiles(tmp_path / ".shopmesh")
    keys = []
    before = os.umask(0)
    try:
        for _ in range(2):
            with started(tmp_path) as (child, _):
                keys.append(access.credentials_file.read_text())
                secret = access.credentials().secret_key
                assert secret is not None
                assert secret not in child.output
    finally:
        os.umask(before)

    assert keys[0] == keys[1]
    files = [access.credentials_file, access.config_file(), access.run_folder / "control-plane.json"]
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}
    assert {0o700} == {stat.S_IMODE(one.stat().st_mode) for one in (access.run_folder, access.credentials_file.parent)}


@needs_root
def test_without_a_project_the_key_is_in_the_user_s_state_folder(tmp_path: Path) -> None:
    """There every command finds it, wherever it is called; the folder where it was started stays as it was."""
    here, elsewhere, state = (tmp_path / name for name in ("here", "elsewhere", "state"))
    for folder in (here, elsewhere):
        folder.mkdir()
    environment = {**REAL, "XDG_STATE_HOME": str(state), "HOME": str(tmp_path)}
    with running((*SERVE, "--api-port", "0", "--xds-port", "0"), env=environment, cwd=here) as child:
        found = child.wait_for(lambda: re.search(r"API on http://\S+?:(\d+), xDS", child.output), "its port")
        url = f"http://127.0.0.1:{found[1]}"
        done = shopmesh(elsewhere, "--endpoint-url", url, "doctor", XDG_STATE_HOME=str(state), HOME=str(tmp_path))

    assert "SM302" not in done.stdout, done.stdout
    assert [] == [*here.iterdir(), *elsewhere.iterdir()]


def test_another_user_cannot_read_the_key(tmp_path: Path) -> None:
    """Not even in folders that everybody may enter."""
    access = AccessFiles(tmp_path / "run")
    access.create_key()
    for folder in access.credentials_file.parents[:5]:
        folder.chmod(0o755)

    assert {"PermissionError"} == opening([access.credentials_file])


def test_shopmesh_finds_the_key_by_itself(tmp_path: Path) -> None:
    """In the folder and below it, from a shell with another account's keys, profile and region."""
    below = tmp_path / "some" / "where"
    below.mkdir(parents=True)
    profile = {"AWS_PROFILE": "work", "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    with started(tmp_path) as (_, port):
        url = f"http://127.0.0.1:{port}"
        with open_client(tmp_path, url) as client:
            client.appmesh.create_mesh(meshName="shop")
        for folder, more in ((tmp_path, {}), (below, {}), (tmp_path, profile)):
            for command, said in ((("doctor", "-o", "json"), '"findings"'), (("get", "meshes", "-o", "json"), "shop")):
                done = shopmesh(folder, "--endpoint-url", url, *command, **more)
                assert said in done.stdout, done.stderr
                assert "SM302" not in done.stdout, done.stdout


def test_from_elsewhere_the_usual_chain_decides(tmp_path: Path) -> None:
    """Who is not in the folder names the file, or is refused with what to do."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    project = tmp_path / "project"
    project.mkdir()
    unset = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1"}
    with started(project) as (_, port):
        url = f"http://127.0.0.1:{port}"
        file = str(AccessFiles(project / ".shopmesh").credentials_file)
        named = shopmesh(elsewhere, "--endpoint-url", url, "doctor", **unset, AWS_SHARED_CREDENTIALS_FILE=file)
        refused = shopmesh(elsewhere, "--endpoint-url", url, "doctor")

    assert "SM302" not in named.stdout, named.stdout
    assert "SM302" in refused.stdout
    assert "shopmesh env" in refused.stdout


class Listener(http.server.BaseHTTPRequestHandler):
    """Another program, which writes down what it is asked."""

    heard: list[str]

    def do_GET(self) -> None:  # http.server's name
        self.heard.append(str(self.headers))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def listening(port: int = 0) -> Iterator[tuple[int, list[str]]]:
    handler = type("Heard", (Listener,), {"heard": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, handler.heard  # type: ignore[attr-defined]  # made above
        server.shutdown()


def test_nothing_is_signed_with_the_key_for_another_endpoint(tmp_path: Path) -> None:
    """Neither for another port, nor another name of this machine, nor for who takes the port when it is free."""
    port = free_port()
    access = AccessFiles(tmp_path / ".shopmesh")
    with started(tmp_path, port=port), listening() as (other, heard):
        key = access.credentials().access_key
        for name in ("127.0.0.1", "localhost"):
            shopmesh(tmp_path, "--endpoint-url", f"http://{name}:{other}", "doctor")
        with open_client(tmp_path, f"http://localhost:{port}") as client, pytest.raises(ResponseError):
            client.proxies()
    with listening(port) as (_, later):
        shopmesh(tmp_path, "--endpoint-url", f"http://127.0.0.1:{port}", "doctor")

    assert heard
    assert later
    assert key is not None
    assert not [text for text in heard + later if key in text]


def test_a_killed_control_plane_s_port_belongs_to_nobody(tmp_path: Path) -> None:
    """What it left behind names a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    access = AccessFiles(tmp_path / ".shopmesh")
    key = access.create_key()
    access.publish(ServedEndpoint("http://127.0.0.1:1", "us-east-1", os.getpid()))
    with open_client(tmp_path, "http://127.0.0.1:1") as client:
        assert client._credentials.access_key in key
    access.publish(ServedEndpoint("http://127.0.0.1:1", "us-east-1", gone.pid))
    with open_client(tmp_path, "http://127.0.0.1:1") as client:
        assert client._credentials.access_key not in key


def test_without_signatures_it_says_what_that_means(tmp_path: Path) -> None:
    """--no-auth: every program may change the mesh, web pages may not."""
    with started(tmp_path, "--no-auth") as (child, port):
        assert 200 == status_of(port, "GET", "/v20190125/meshes")
        assert "--no-auth: every program and user of this machine can read and change the mesh" in child.output
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/v20190125/meshes", headers={"host": "evil.example"})
            assert 421 == connection.getresponse().status


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--no-auth", "--host", "0.0.0.0"), "would listen on 0.0.0.0 without credentials: leave out --no-auth"),
        (("--no-auth", "--kubernetes"), "cannot be combined"),
        (("--run-dir", "/dev/null/x"), "cannot create an access key in /dev/null/x/aws/credentials"),
    ],
)
def test_what_would_open_it_by_accident_is_refused(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    """One line says which option helps; nothing is started."""
    done = shopmesh(tmp_path, "serve", "--api-port", "0", "--xds-port", "0", *options)

    assert 0 != done.returncode
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_insecure_opens_other_addresses(tmp_path: Path) -> None:
    """Who says both options is believed."""
    with started(tmp_path, "--no-auth", "--insecure", "--host", "0.0.0.0", "--xds-host", "0.0.0.0") as (_, port):
        assert 200 == status_of(port, "GET", "/v20190125/meshes")
    with started(tmp_path, "--insecure", "--host", "0.0.0.0", "--xds-host", "0.0.0.0") as (_, port):
        assert 403 == status_of(port, "GET", "/v20190125/meshes")


def test_given_credentials_are_the_only_ones(tmp_path: Path) -> None:
    """No key is made beside them."""
    keys = tmp_path / "keys"
    keys.write_text("[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = right\n")
    with serving("--credentials", str(keys)) as found:
        assert 403 == status_of(found.api_port, "GET", "/v20190125/meshes")
    with started(tmp_path, "--credentials", str(keys)):
        assert not AccessFiles(tmp_path / ".shopmesh").credentials_file.exists()
