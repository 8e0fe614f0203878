"""Envoy's words for a refusal, without the content of the resource that it refused."""

from __future__ import annotations

import time

import pytest

from shopmesh.xds.stream.nack_reason import LONGEST_NACK, nack_reason

CONTENT = """\
name: "product"
connect_timeout {
}
transport_socket {
  typed_config {
    private_key {
      inline_string: "-----BEGIN PRIVATE KEY-----\\ns3cr3t\\n-----END PRIVATE KEY-----"
    }
  }
}
"""
INVALID = "Proto constraint validation failed (ClusterValidationError.ConnectTimeout: value must be greater than 0s)"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (f"goo.gle/debugstr    \n{CONTENT}: {INVALID}", INVALID),
        (f"Error adding/updating listener(s) a: goo.gle/debugstr \n{CONTENT}: {INVALID}", None),
        (f"{INVALID}: goo.gle/debugonly\n{CONTENT}", f"{INVALID}:"),
        ("Invalid duration: goo.gle/debugproto    \nseconds: -1\n", "Invalid duration: seconds: -1"),
        (f"{INVALID}: {CONTENT}", f'{INVALID}: name: "product"\nconnect_timeout {{\ntransport_socket {{'),
        ("Failed to load -----BEGIN RSA PRIVATE KEY-----\ns3cr3t", "Failed to load [private key]"),
        ("Error adding/updating listener(s) a: x\nb: y", "Error adding/updating listener(s) a: x\nb: y"),
        ("no such filter", "no such filter"),
        ("", "(no reason given)"),
        ("goo.gle/debugstr", "(no reason given)"),
    ],
)
def test_reason_is_kept_and_content_is_not(message: str, reason: str | None) -> None:
    """Also where the reason stands behind the content, and where Envoy does not mark it."""
    found = nack_reason(message)

    assert "s3cr3t" not in found
    assert reason is None or reason == found
    assert reason is not None or found.endswith(f"listener(s) a: {INVALID}")


def test_long_reason_is_cut_and_hostile_one_is_read_in_time() -> None:
    """Any client that may connect can send any text."""
    assert "x" * LONGEST_NACK == nack_reason("x" * 100_000)
    for part in ("goo.gle/debug", "goo.gle/debug\n", " \n", "-----BEGIN PRIVATE KEY-----", "\n: ", "{\n  a\n}\n"):
        begin = time.process_time()
        nack_reason(part * 400_000)
        assert time.process_time() - begin < 5
