"""State that can be changed at run time: readiness and faults.

The worker processes of a service share it in memory that the master allocates (`shared_memory`) and the workers
inherit; a change in one worker is a change in all.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

from services.chassis.config import Config

# generation, not ready, error share, delay in ms, share of delays, seed
_LAYOUT = struct.Struct("<Q?dddq")

Memory = bytearray | mmap.mmap


@dataclass(frozen=True)
class FaultSettings:
    """Shares from 0 to 1; the delay in milliseconds."""

    error_share: float = 0.0
    delay_ms: float = 0.0
    delay_share: float = 1.0
    seed: int = 0


class RuntimeState:
    """The readiness and faults of a service; initially ready, with the faults of the configuration."""

    def __init__(self, config: Config) -> None:
        self._memory: Memory = bytearray(_LAYOUT.size)
        self._stopping = False
        self._write(
            0,
            False,
            FaultSettings(config.fault_error_share, config.fault_delay_ms, config.fault_delay_share, config.fault_seed),
        )

    def share(self, memory: mmap.mmap) -> None:
        """Switches to memory that is shared with other processes, and initialises it if it is blank."""
        if not any(memory[:]):
            memory[:] = bytes(self._memory)
        self._memory = memory

    @property
    def ready(self) -> bool:
        """Set to ready, and not stopping."""
        return not self._stopping and not self._read()[1]

    def set_ready(self, ready: bool) -> None:
        generation, _, settings = self._read()
        self._write(generation, not ready, settings)

    def stop(self) -> None:
        """Marks this process as stopping: it is no longer ready, whatever is set."""
        self._stopping = True

    def faults(self) -> tuple[int, FaultSettings]:
        """The generation, which increases with every change, and the settings."""
        generation, _, settings = self._read()
        return generation, settings

    def set_faults(self, settings: FaultSettings) -> None:
        generation, unready, _ = self._read()
        self._write(generation + 1, unready, settings)

    def _read(self) -> tuple[int, bool, FaultSettings]:
        generation, unready, *settings = _LAYOUT.unpack_from(self._memory)
        return generation, unready, FaultSettings(*settings)

    def _write(self, generation: int, unready: bool, settings: FaultSettings) -> None:
        values = (settings.error_share, settings.delay_ms, settings.delay_share, settings.seed)
        _LAYOUT.pack_into(self._memory, 0, generation, unready, *values)


def shared_memory() -> mmap.mmap:
    """Allocates blank memory for `RuntimeState.share`; call it before the fork."""
    return mmap.mmap(-1, _LAYOUT.size)
