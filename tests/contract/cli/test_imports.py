"""What the command line loads, seen by an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys

from shopmesh.cli import COMMANDS


def test_the_list_of_commands_imports_none_of_them() -> None:
    """`shopmesh --help` stays fast: neither botocore nor rich nor a server is loaded for it."""
    heavy = ("botocore", "rich", "starlette", "grpc", "yaml")
    code = (
        "import sys\nfrom shopmesh.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"sys.exit(str([name for name in {heavy!r} if name in sys.modules] or ''))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "" == done.stderr.strip()
    assert all(name in done.stdout for name in COMMANDS)
