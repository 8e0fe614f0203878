"""SSH keys of people who sign, made by ssh-keygen."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Signer:
    """A person with a key, and the file that allows it and no other."""

    def __init__(self, folder: Path, name: str) -> None:
        self.key, self.allowed = folder / "key", folder / "allowed_signers"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.key)]
        subprocess.run(command, check=True, timeout=20)
        self.allowed.write_text(f"{name} {self.key.with_suffix('.pub').read_text()}")
