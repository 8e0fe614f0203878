"""The configuration of a service: one frozen object, read from the environment once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

PEER_URL = "http://{}.default.svc.cluster.local:5000"


class ConfigError(ValueError):
    """An environment variable has an invalid value; the message names it and says what to do."""


@dataclass(frozen=True)
class Config:
    """The settings of a service; README.md has the table of the variables.

    Shares are 0 to 1, times are in the unit at the end of their name. A service's version is code, not a setting.
    """

    host: str = "127.0.0.1"
    port: int = 5000
    control_port: int | None = None
    control_socket: str | None = None
    workers: int = 1
    connections: int = 1000
    proxy: str | None = None
    peer_timeout_seconds: float = 3.0
    log_level: str = "INFO"
    tracing: str = "otel"
    otlp_endpoint: str | None = None
    xray_daemon: str = "127.0.0.1:2000"
    fault_error_share: float = 0.0
    fault_delay_ms: float = 0.0
    fault_delay_share: float = 1.0
    fault_seed: int = 0
    drain_seconds: float = 1.0
    stop_seconds: float = 30.0
    urls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Config:
        """Reads the variables of README.md; an empty one counts as unset. Raises `ConfigError`."""
        read = {
            name: parse(variable, environ[variable])
            for name, (variable, parse) in VARIABLES.items()
            if environ.get(variable)
        }
        urls = {key: value for key, value in environ.items() if key.endswith("_URL") and value}
        return cls(**read, urls=urls)  # type: ignore[arg-type]  # each parser yields its field's type

    def peer_url(self, name: str) -> str:
        """The URL of the peer `name`: `<NAME>_URL`, or that of its virtual service, which is the same everywhere.

        Raises `ConfigError`; only here, because variables of other programs end in `_URL`, too.
        """
        variable = f"{name.upper()}_URL"
        return _http_url(variable, self.urls.get(variable, PEER_URL.format(name)))


def _number(kind: Callable[[str], T], what: str, low: float, high: float) -> Callable[[str, str], T]:
    def parse(variable: str, value: str) -> T:
        try:
            number = kind(value)
        except ValueError:
            number = None
        # `not (low <= …)` rather than `low > …`: NaN compares false with everything.
        if number is None or not low <= number <= high:  # type: ignore[operator]  # kind is int or float
            raise ConfigError(f"{variable}={value!r} is not {what} from {low:g} to {high:g}; correct it or unset it")
        return number

    return parse


def _one_of(*allowed: str) -> Callable[[str, str], str]:
    def parse(variable: str, value: str) -> str:
        for choice in allowed:
            if value.casefold() == choice.casefold():
                return choice
        raise ConfigError(f"{variable}={value!r} is not one of {', '.join(allowed)}; correct it or unset it")

    return parse


def _text(variable: str, value: str) -> str:
    return value


def _url(*schemes: str) -> Callable[[str, str], str]:
    def parse(variable: str, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme in schemes and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise ConfigError(f"{variable}={value!r} is not a URL like http://name:5000; correct it or unset it")
        return value.rstrip("/")

    return parse


def _address(variable: str, value: str) -> str:
    host, _, port = value.rpartition(":")
    # int() reads digits of other alphabets too, and refuses more than 4,300 with an error of its own.
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ConfigError(f"{variable}={value!r} is not an address like 127.0.0.1:2000; correct it or unset it")
    return value


_port = _number(int, "a port", 1, 65535)
# The sidecars do TLS between services.
_http_url = _url("http")
_share = _number(float, "a share", 0, 1)

VARIABLES: Mapping[str, tuple[str, Callable[[str, str], object]]] = {
    "host": ("HOST", _text),
    "port": ("PORT", _port),
    "control_port": ("CONTROL_PORT", _port),
    "control_socket": ("CONTROL_SOCKET", _text),
    "workers": ("WEB_CONCURRENCY", _number(int, "a number of workers", 1, 64)),
    "connections": ("MAX_CONNECTIONS", _number(int, "a number of connections", 1, 100_000)),
    "proxy": ("HTTP_PROXY", _http_url),
    "peer_timeout_seconds": ("PEER_TIMEOUT_SECONDS", _number(float, "a number of seconds", 0.001, 3600)),
    "log_level": ("LOG_LEVEL", _one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    "tracing": ("TRACING", _one_of("otel", "xray", "off")),
    "otlp_endpoint": ("OTEL_EXPORTER_OTLP_ENDPOINT", _url("http", "https")),
    "xray_daemon": ("AWS_XRAY_DAEMON_ADDRESS", _address),
    "fault_error_share": ("FAULT_ERROR_SHARE", _share),
    "fault_delay_ms": ("FAULT_DELAY_MS", _number(float, "a number of milliseconds", 0, 600_000)),
    "fault_delay_share": ("FAULT_DELAY_SHARE", _share),
    "fault_seed": ("FAULT_SEED", _number(int, "a seed", -(2**63), 2**63 - 1)),
    "drain_seconds": ("DRAIN_SECONDS", _number(float, "a number of seconds", 0, 3600)),
    "stop_seconds": ("STOP_SECONDS", _number(float, "a number of seconds", 1, 3600)),
}
