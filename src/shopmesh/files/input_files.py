"""Files that users name, read within bounds: their kind, their size, their encoding, and how long they keep silent."""

from __future__ import annotations

import io
import os
import select
import stat
from pathlib import Path

LARGEST = 16 << 20
"""Bytes of one file; the manifests of a mesh of a thousand services are a tenth of it."""

LONGEST_SILENCE = 60.0
"""Seconds to wait for the next bytes of a pipe, such as a shell's `<(helm template …)`."""

_CHUNK = 1 << 20


class InputFileError(ValueError):
    """A file that cannot be used; the message names the file, the line where there is one, and what to do."""


def read_text(path: Path, largest: int = LARGEST) -> str:
    """The text of a file; raises `OSError`, and `InputFileError` as `read_bytes` and `decode` do."""
    return decode(read_bytes(path, largest), str(path))


def read_bytes(path: Path, largest: int = LARGEST, silence: float = LONGEST_SILENCE) -> bytes:
    """The content of a file, a pipe or a device.

    Raises `OSError` when it cannot be read, and `InputFileError` when it holds more than `largest` bytes, or when it
    is a pipe into which nothing is written for `silence` seconds.
    """
    with io.FileIO(path, opener=_open_at_once) as file:
        is_pipe = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
        content = bytearray()
        while len(content) <= largest:
            if is_pipe and not select.select([file], [], [], silence)[0]:
                raise InputFileError(f"{path} is a pipe, and nothing came through it for {silence:g} seconds")
            chunk = file.read(min(_CHUNK, largest + 1 - len(content)))
            if not chunk:
                break
            content += chunk
    return check_size(bytes(content), str(path), largest)


def _open_at_once(path: str, flags: int) -> int:
    """Opens a pipe without waiting for somebody to write into it, who may never come."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor


def check_size(content: bytes, name: str, largest: int = LARGEST) -> bytes:
    """The content itself; raises `InputFileError` when it is longer than `largest` bytes."""
    if len(content) > largest:
        size = f"{largest >> 20} MiB" if largest >> 20 else f"{largest >> 10} KiB"
        raise InputFileError(f"{name} is larger than {size}; split it")
    return content


def decode(content: bytes, name: str) -> str:
    """Bytes as text, without a byte order mark; raises `InputFileError` with the line that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputFileError(f"{name}, line {line}: this is not UTF-8 text; save the file as UTF-8") from error
