"""The configuration: what is read from the environment, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from services.chassis.config import VARIABLES, Config, ConfigError

README = Path(__file__).resolve().parents[3] / "services" / "README.md"


def test_an_empty_environment_gives_the_defaults() -> None:
    """A service runs with nothing set; what is set to nothing counts as not set."""
    assert Config.from_environ({}) == Config.from_environ(dict.fromkeys(["PORT", "HTTP_PROXY"], "")) == Config()


def test_values_are_read_as_their_types() -> None:
    """Numbers become numbers, choices are told apart by no letter's case, a trailing slash is no part of a URL."""
    config = Config.from_environ(
        {
            "PORT": "80",
            "FAULT_ERROR_SHARE": "0.25",
            "TRACING": "XRay",
            "LOG_LEVEL": "debug",
            "FAULT_SEED": "-3",
            "HTTP_PROXY": "http://127.0.0.1:15001/",
        }
    )

    assert config == Config(
        port=80,
        fault_error_share=0.25,
        tracing="xray",
        log_level="DEBUG",
        fault_seed=-3,
        proxy="http://127.0.0.1:15001",
    )


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("PORT", "0", "a port from 1 to 65535"),
        ("PORT", "http", "a port from 1 to 65535"),
        ("CONTROL_PORT", "70000", "a port from 1 to 65535"),
        ("WEB_CONCURRENCY", "1.5", "a number of workers from 1 to 64"),
        ("FAULT_ERROR_SHARE", "nan", "a share from 0 to 1"),
        ("FAULT_DELAY_SHARE", "-0.1", "a share from 0 to 1"),
        ("PEER_TIMEOUT_SECONDS", "inf", "a number of seconds from 0.001 to 3600"),
        ("TRACING", "jaeger", "one of otel, xray, off"),
        ("LOG_LEVEL", "LOUD", "one of DEBUG"),
        ("HTTP_PROXY", "127.0.0.1:15001", "a URL like http://name:5000"),
        ("HTTP_PROXY", "http://[", "a URL like http://name:5000"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://collector:4317", "a URL like http://name:5000"),
        ("AWS_XRAY_DAEMON_ADDRESS", "daemon", "an address like 127.0.0.1:2000"),
        pytest.param("AWS_XRAY_DAEMON_ADDRESS", f"daemon:{'9' * 5000}", "an address like", id="5,000 digits"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str, what: str) -> None:
    """The error has the variable, its value, what would be right, and what to do."""
    with pytest.raises(ConfigError) as refused:
        Config.from_environ({variable: value})

    assert f"{variable}={value!r} is not {what}" in str(refused.value)
    assert "correct it or unset it" in str(refused.value)


def test_a_peer_is_at_its_virtual_services_name_unless_told_otherwise() -> None:
    """The same name in all places; `<NAME>_URL` overrides it."""
    config = Config.from_environ({"PRODUCT_URL": "http://127.0.0.1:5001/"})

    assert config.peer_url("product") == "http://127.0.0.1:5001"
    assert config.peer_url("customer") == "http://customer.default.svc.cluster.local:5000"


def test_urls_of_other_programs_are_nobodys_business() -> None:
    """An unrelated variable that ends in _URL is not checked; a peer's is, when it is asked for."""
    config = Config.from_environ({"DATABASE_URL": "postgres://db", "PRODUCT_URL": "https://product"})

    with pytest.raises(ConfigError, match="PRODUCT_URL='https://product' is not a URL like http"):
        config.peer_url("product")


def test_the_readme_lists_every_variable_with_its_default() -> None:
    """The table of README.md and the code say the same."""
    defaults = {field.name: field.default for field in dataclasses.fields(Config)}
    expected = {"<PEER>_URL": "http://<peer>.default.svc.cluster.local:5000"}
    for name, (variable, _) in VARIABLES.items():
        default = defaults[name]
        shown = f"{default:g}" if isinstance(default, int | float) else default
        expected[variable] = str(shown) if shown is not None else "none"
    rows = re.findall(r"^\| `([A-Z_<>]+)` \| `?([^|`]+)`? \|", README.read_text(), re.MULTILINE)

    assert dict(rows) == expected
