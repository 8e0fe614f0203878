"""Files by which the programs of one user find the control plane of a run folder: its key and its address.

    aws/credentials           the access key: created once, kept by `up --reset`
    aws/config                endpoint, region and output, for `aws` and every other SDK
    aws/config-2018-10-01     the same, with the version of the API that the webinar's scripts were written for
    control-plane.json        the endpoint, and the process that serves it

Only this user can read them. The key is used only for the endpoint that a running process of its run folder serves, so
that no other program receives requests signed with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import platformdirs

from shopmesh import defaults
from shopmesh.files.private_files import create_file, make_private_folder, private_opener, write_private_file
from shopmesh.server.config import ConfigError, new_credentials, parse_credentials

if TYPE_CHECKING:
    from botocore.credentials import Credentials

    from shopmesh.client import Client

MANIFESTS = "mesh"
"""The folder of a project's manifests; a folder that has it is a project's."""
RUN_FOLDER = Path(".shopmesh")
"""The run folder of a project, in its folder."""
LATEST, PREVIEW = "2019-01-25", "2018-10-01"
API_VERSIONS = (LATEST, PREVIEW)

_MAX_FILE_BYTES = 65_536


class ServedEndpoint(NamedTuple):
    """Where the control plane of a run folder listens or last listened, and its process."""

    url: str
    region: str
    process_id: int


class SigningKey(NamedTuple):
    """Credentials and region for signing requests."""

    credentials: Credentials
    region: str


@dataclass(frozen=True, slots=True)
class AccessFiles:
    """The files of one run folder."""

    run_folder: Path

    @property
    def credentials_file(self) -> Path:
        return self.run_folder / "aws" / "credentials"

    def config_file(self, api_version: str = LATEST) -> Path:
        return self.run_folder / "aws" / ("config" if api_version == LATEST else f"config-{api_version}")

    def create_key(self) -> Mapping[str, str]:
        """The folder's access key (id → secret), created if missing; raises ConfigError."""
        try:
            make_private_folder(self.run_folder)
            make_private_folder(self.credentials_file.parent)
            with contextlib.suppress(FileExistsError):
                create_file(self.credentials_file, new_credentials())
            return self._read_keys()
        except OSError as error:
            raise ConfigError(
                f"cannot create an access key in {self.credentials_file}: {error.strerror}; choose another folder with "
                "--run-dir"
            ) from error

    def credentials(self) -> Credentials:
        """The key, to sign requests with; raises ConfigError and OSError."""
        from botocore.credentials import Credentials  # as in `open_client`

        key, secret = next(iter(self._read_keys().items()))
        return Credentials(key, secret)

    def publish(self, endpoint: ServedEndpoint) -> None:
        """Writes where the control plane listens, for `aws` and for `find_key`; raises OSError."""
        url, region, process_id = endpoint
        for version in API_VERSIONS:
            write_private_file(self.config_file(version), _aws_config(url, region, version))
        document = {"endpointUrl": url, "region": region, "processId": process_id}
        write_private_file(self._endpoint_file, json.dumps(document) + "\n")

    def served_endpoint(self) -> ServedEndpoint | None:
        """Where the folder's control plane listens; None when there has been none, or its file cannot be read."""
        try:
            document = json.loads(_read(self._endpoint_file))
            return ServedEndpoint(str(document["endpointUrl"]), str(document["region"]), int(document["processId"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    @property
    def _endpoint_file(self) -> Path:
        return self.run_folder / "control-plane.json"

    def _read_keys(self) -> dict[str, str]:
        return parse_credentials(_read(self.credentials_file), str(self.credentials_file))


def default_run_folder(folder: Path) -> Path:
    """The run folder of commands in `folder`: `.shopmesh` in a project, elsewhere the user's own."""
    if (folder / MANIFESTS).is_dir() or (folder / RUN_FOLDER).is_dir():
        return RUN_FOLDER
    return user_run_folder()


def nearest_run_folder(folder: Path) -> Path:
    """The run folder for commands that need a mesh that ran: also that of a folder above, as git finds a repository.

    Folders of other users are ignored.
    """
    default = default_run_folder(folder)
    if default == RUN_FOLDER:
        return default
    for above in folder.absolute().parents:
        found = above / RUN_FOLDER
        with contextlib.suppress(OSError):
            status = found.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
                return found
    return default


def user_run_folder() -> Path:
    """The run folder of meshes without a project, in the user's state folder: `~/.local/state/shopmesh` on Linux."""
    return platformdirs.user_state_path("shopmesh", appauthor=False)


def find_key(start: Path, endpoint_url: str) -> SigningKey | None:
    """The key for an endpoint that one of these run folders serves: that of `start`, of a folder above it, the user's.

    Folders and files of other users are ignored. None if none of them serves it.
    """
    for run_folder in (*(folder / RUN_FOLDER for folder in (start, *start.parents)), user_run_folder()):
        access = AccessFiles(run_folder)
        found = access.served_endpoint()
        if found and _same_endpoint(found.url, endpoint_url) and _is_running(found.process_id):
            with contextlib.suppress(OSError, ValueError, ConfigError):
                return SigningKey(access.credentials(), found.region)
    return None


def open_client(
    start: Path, endpoint_url: str, region: str = defaults.REGION, timeout: float = defaults.CLIENT_SECONDS
) -> Client:
    """A client of a control plane; sends no request yet.

    For the control plane of a run folder it uses that folder's key, whatever AWS credentials the shell has; for others,
    the usual AWS credential chain.
    """
    from shopmesh.client import Client  # botocore takes its time, and `--help` has no use for it

    if (key := find_key(start, endpoint_url)) is not None:
        return Client(endpoint_url, key.region, key.credentials, timeout=timeout)
    return Client(endpoint_url, region, timeout=timeout)


def _aws_config(endpoint_url: str, region: str, version: str) -> str:
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    lines = ["[default]", f"region = {region}", "output = json", "services = shopmesh"]
    if version != LATEST:
        lines += ["api_versions =", f"  appmesh = {version}"]
    return "\n".join([*lines, "", "[services shopmesh]", "app_mesh =", f"  endpoint_url = {endpoint_url}", ""])


def _read(path: Path) -> str:
    """Reads a file of this user; raises OSError, and ValueError if it is not UTF-8."""
    # Opening a pipe of another user would block before its owner can be checked.
    with open(path, encoding="utf-8", opener=lambda name, flags: private_opener(name, flags | os.O_NONBLOCK)) as file:
        return file.read(_MAX_FILE_BYTES)


def _same_endpoint(one: str, other: str) -> bool:
    """By scheme, host as written, and port: `localhost` may be another machine's or family's address than 127.0.0.1."""
    try:
        return _endpoint_parts(one) == _endpoint_parts(other)
    except ValueError:
        return False


def _endpoint_parts(url: str) -> tuple[str, str | None, int | None, str]:
    found = urlsplit(url)
    return found.scheme, found.hostname, found.port, found.path.rstrip("/")


def _is_running(process_id: int) -> bool:
    if process_id <= 0:  # to `kill`, these are groups of processes
        return False
    try:
        os.kill(process_id, 0)
    except (OSError, OverflowError):
        return False
    return True
