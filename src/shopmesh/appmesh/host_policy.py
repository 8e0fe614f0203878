"""What documents may make Envoy do on the host it runs on: the operator of the control plane decides, not the writer of
a document.

    options of the operator ─► HostPolicy ─┬─► a write that goes beyond it is refused, whichever way it comes
                                           └─► what is stored already is left out of what Envoy gets, and reported

Paths are compared as texts: Envoy may run on another machine, so symbolic links cannot be resolved here. An operator
who allows a folder trusts what is in it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shopmesh.appmesh.annotations.patch import PATCH
from shopmesh.appmesh.annotations.tag_chunks import PREFIX, base_name
from shopmesh.appmesh.api.validation import Problem, quote, raise_problems
from shopmesh.appmesh.store import Document

ALLOW_PATCH = "--allow-patch"
ACCESS_LOG_FOLDER = "--access-log-folder"
CERTIFICATE_FOLDER = "--certificate-folder"

STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/null")
"""Where access logs may always go: to the output of Envoy, or nowhere."""

_PATCH_TAG = f"{PREFIX}{PATCH.name}"
_ACCESS_LOG = ("logging", "accessLog", "file", "path")
CERTIFICATE_FILES = ("certificateChain", "privateKey")
_SHARED_FOLDER = re.compile(
    r"/|/(home|Users)(/[^/]*)?|/root(/.*)?|/(etc|tmp|usr|opt|dev|proc|sys)|/var(/(log|lib|tmp|run))?"
)
"""A user's home, and folders of the system: more is in them than what documents name."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """By default documents name no file but `STREAMS`, and patch nothing. Folders allow all files at any depth below.

    Raises ValueError for a folder that is not a normal absolute path.
    """

    allow_patches: bool = False
    access_log_folders: tuple[str, ...] = ()
    certificate_folders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option, folders in (
            (ACCESS_LOG_FOLDER, self.access_log_folders),
            (CERTIFICATE_FOLDER, self.certificate_folders),
        ):
            for folder in folders:
                if (problem := _path_problem(folder.rstrip("/") or folder)) is not None:
                    raise ValueError(f"{option} {quote(folder)} {problem}")

    @property
    def arguments(self) -> tuple[str, ...]:
        """The options of a command line that say the same."""
        return (
            *([ALLOW_PATCH] if self.allow_patches else ()),
            *(word for folder in self.access_log_folders for word in (ACCESS_LOG_FOLDER, folder)),
            *(word for folder in self.certificate_folders for word in (CERTIFICATE_FOLDER, folder)),
        )

    def access_log_problem(self, path: str) -> str | None:
        """Why access logs may not be written to that file; None when they may."""
        if path in STREAMS:
            return None
        return _file_problem(path, self.access_log_folders, ACCESS_LOG_FOLDER, f"; {', '.join(STREAMS)} always are")

    def certificate_problem(self, path: str) -> str | None:
        """Why Envoy may not read a certificate or key from that file; None when it may."""
        return _file_problem(path, self.certificate_folders, CERTIFICATE_FOLDER)

    def patch_problem(self) -> str | None:
        """Why proxies may not be patched; None when they may."""
        if self.allow_patches:
            return None
        return (
            "a patch can run code, and read and write files, where Envoy runs; it is allowed only by a control plane"
            f" that was started with {ALLOW_PATCH}"
        )


STRICT = HostPolicy()
"""What holds where the operator says nothing."""


def check(policy: HostPolicy | None, spec: Document, tags: Iterable[str] = ()) -> None:
    """Raises BadRequest for what of a specification, and of tags by name, is not allowed; without a policy all is."""
    if policy is not None:
        raise_problems(problems(policy, spec, tags))


def problems(policy: HostPolicy, spec: Document, tags: Iterable[str] = ()) -> Iterator[Problem]:
    """What of a specification, and of tags by name, the policy does not allow."""
    yield from certificate_problems(policy, spec, "spec")
    path: Any = spec
    for name in _ACCESS_LOG:
        path = path.get(name) if isinstance(path, Mapping) else None
    if path is not None and (problem := policy.access_log_problem(str(path))):
        yield Problem(".".join(("spec", *_ACCESS_LOG)), problem)
    if _PATCH_TAG in {base_name(tag) for tag in tags} and (problem := policy.patch_problem()):
        yield Problem(_PATCH_TAG, problem)


def certificate_problems(policy: HostPolicy, document: Any, field: str) -> Iterator[Problem]:
    """The same of all certificate files in a part of a specification: a listener's `tls`, a `clientPolicy`."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            inner = f"{field}.{name}" if field else str(name)
            if name in CERTIFICATE_FILES and isinstance(value, str):
                if (problem := policy.certificate_problem(value)) is not None:
                    yield Problem(inner, problem)
            else:
                yield from certificate_problems(policy, value, inner)
    elif isinstance(document, list | tuple):
        for index, value in enumerate(document):
            yield from certificate_problems(policy, value, f"{field}[{index}]")


def _file_problem(path: str, folders: Iterable[str], option: str, more: str = "") -> str | None:
    if (problem := _path_problem(path)) is not None:
        return f"{quote(path)} {problem}"
    if any(path.startswith(f"{folder.rstrip('/')}/") for folder in folders):
        return None
    allowed = ", ".join(folders) or "none"
    problem = f"{quote(path)} is not in a folder that the control plane allows (allowed: {allowed}{more});"
    folder = posixpath.dirname(path)
    if _SHARED_FOLDER.fullmatch(folder):
        own = posixpath.join(folder, "envoy")
        return f"{problem} put it into a folder of its own, which its operator can allow, such as {option} {quote(own)}"
    return f"{problem} its operator can allow the folder with {option} {quote(folder)}"


def _path_problem(path: str) -> str | None:
    if _CONTROL.search(path):
        return "has a control character"
    if not path.startswith("/"):
        return "is not an absolute path; write it from / on"
    # POSIX gives two slashes at the beginning a meaning of their own, and normpath keeps them.
    if posixpath.normpath(path) != path or path.startswith("//"):
        return "is not in its normal form; write it without . and .., and with single slashes"
    return None
