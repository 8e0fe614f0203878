"""Files that users name: whatever they are, reading them ends, and a refusal names them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from shopmesh.files.input_files import InputFileError, read_bytes, read_text


def test_a_device_without_end_is_refused() -> None:
    """/dev/zero is larger than any bound."""
    with pytest.raises(InputFileError, match=r"^/dev/zero is larger than 1 KiB; split it$"):
        read_bytes(Path("/dev/zero"), 1024)


def test_a_file_of_the_largest_size_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    """The bound itself is allowed."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * 1024)

    assert 1024 == len(read_bytes(file, 1024))

    file.write_bytes(b"x" * 1025)
    with pytest.raises(InputFileError, match="larger than 1 KiB"):
        read_bytes(file, 1024)


def test_a_pipe_that_nobody_writes_to_is_not_waited_for_without_end(tmp_path: Path) -> None:
    """Opening it does not block, and silence has a bound."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(InputFileError, match=r"is a pipe, and nothing came through it for 0\.05 seconds"):
        read_bytes(pipe, silence=0.05)


def test_what_comes_through_a_pipe_is_read(tmp_path: Path) -> None:
    """As of a shell's `<(command)`, in pieces and to its end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"x" * 300_000,))
    writer.start()

    assert 300_000 == len(read_bytes(pipe))
    writer.join()


def test_links_in_a_circle_and_folders_are_errors_that_name_the_file(tmp_path: Path) -> None:
    """As the system says them."""
    link = tmp_path / "link"
    link.symlink_to(link)

    for path in (link, tmp_path):
        with pytest.raises(OSError, match=str(path)):
            read_bytes(path)


def test_text_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    """A byte order mark is not part of the text."""
    file = tmp_path / "file"
    file.write_bytes(b"\xef\xbb\xbfa\nb\n")

    assert "a\nb\n" == read_text(file)

    file.write_bytes(b"a\nb\xe9\n")
    with pytest.raises(InputFileError, match=f"^{file}, line 2: this is not UTF-8 text"):
        read_text(file)
