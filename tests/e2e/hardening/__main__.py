"""`python -m tests.e2e.hardening 10000`: so many generated documents that the API accepts, judged by real Envoy."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from tests.e2e.hardening.generated import Drawn, judged, translatable

_BATCH = 100


def main(wanted: int) -> int:
    """Exit status 1 at the first mesh that Envoy refuses, which is printed with the reason."""
    documents = proxies = 0
    began = time.monotonic()

    @settings(
        max_examples=_BATCH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(translatable())
    def batch(drawn: Drawn) -> None:
        nonlocal documents, proxies
        documents += len(drawn.mesh)
        with tempfile.TemporaryDirectory() as folder:
            count, refused = judged(drawn, Path(folder))
        proxies += count
        assert not refused, f"{refused}\n{drawn}"

    while documents < wanted:
        batch()
        print(
            f"{documents:,} documents, {proxies:,} proxies' snapshots, {time.monotonic() - began:.0f} s, none refused"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
