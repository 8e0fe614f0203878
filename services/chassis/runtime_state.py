"""What can be changed while a service runs: whether it is ready, and its faults.

The state lies in a piece of memory, so that the worker processes of one service can share it: the master makes it
(`shared_memory`), the workers inherit it, and whichever of them takes the request switches all.
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
    """Ready, with the faults of the configuration, until switched otherwise."""

    def __init__(self, config: Config) -> None:
        self._memory: Memory = bytearray(_LAYOUT.size)
        self._stopping = False
        self._write(
            0,
            False,
            FaultSettings(config.fault_error_share, config.fault_delay_ms, config.fault_delay_share, config.fault_seed),
        )

    def share(self, memory: mmap.mmap) -> None:
        """Goes over to memory shared with other processes; what stands in it counts, unless it is still blank."""
        if not any(memory[:]):
            memory[:] = bytes(self._memory)
        self._memory = memory

    @property
    def ready(self) -> bool:
        """Switched on, and not stopping."""
        return not self._stopping and not self._read()[1]

    def set_ready(self, ready: bool) -> None:
        generation, _, settings = self._read()
        self._write(generation, not ready, settings)

    def stop(self) -> None:
        """This process is going: not ready any more, whatever is switched."""
        self._stopping = True

    def faults(self) -> tuple[int, FaultSettings]:
        """The settings, and a number that changes whenever they are set."""
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
    """Blank memory for `Switches.share`, to be made before the fork."""
    return mmap.mmap(-1, _LAYOUT.size)
