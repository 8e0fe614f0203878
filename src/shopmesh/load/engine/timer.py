"""A timer with finer resolution than an event loop's own timers, which count in milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1
_TFD_NONBLOCK, _TFD_CLOEXEC = os.O_NONBLOCK, getattr(os, "O_CLOEXEC", 0)
_PR_SET_TIMERSLACK = 29
_EARLIEST = 1e-9


class Timer(Protocol):
    """Calls back once at a time of `time.monotonic()`; setting it again replaces the earlier time."""

    def set(self, at: float) -> None: ...

    def close(self) -> None: ...


def create_timer(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> Timer:
    """Creates the timer with the finest resolution that this system has."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            return _TimerFd(loop, call)
    return _LoopTimer(loop, call)


class _Timespec(ctypes.Structure):
    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]  # ctypes requires this form


class _Itimerspec(ctypes.Structure):
    _fields_ = [("it_interval", _Timespec), ("it_value", _Timespec)]  # as above


class _TimerFd:
    """timerfd_create(2): the kernel makes a file readable at that time. Python has it since 3.13 only.

    The file is never read: the callback sets it again or closes it, which clears its readiness.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        # Otherwise the kernel may wake this thread 50 µs late, to wake several together: prctl(2).
        self._libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
        self._spec = _Itimerspec()
        # Called for every request: PyDLL keeps the GIL, as the call never blocks, and the arguments are converted once.
        self._settime = ctypes.PyDLL(None).timerfd_settime
        self._given = (ctypes.c_int(self._file), ctypes.c_int(_TFD_TIMER_ABSTIME), ctypes.byref(self._spec), None)
        self._value = self._spec.it_value
        self._loop = loop
        loop.add_reader(self._file, call)

    def set(self, at: float) -> None:
        # 0 would disarm the timer; a time in the past fires at once.
        at = max(at, _EARLIEST)
        seconds = int(at)
        value = self._value
        value.tv_sec, value.tv_nsec = seconds, int((at - seconds) * 1e9) or (not seconds)
        self._settime(*self._given)

    def close(self) -> None:
        self._loop.remove_reader(self._file)
        os.close(self._file)


class _LoopTimer:
    """The loop's own timer, for systems without timerfd (macOS): up to a millisecond late, which is reported."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        self._loop = loop
        self._call = call
        self._handle: asyncio.Handle | None = None

    def set(self, at: float) -> None:
        self.close()
        left = at - time.monotonic()
        self._handle = self._loop.call_later(left, self._call) if left > 0 else self._loop.call_soon(self._call)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
