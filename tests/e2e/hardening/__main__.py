"""Real Envoys judge so many generated documents that the API accepts.

python -m tests.e2e.hardening 10000            each mesh by itself, for every proxy in it: `envoy --mode validate`
python -m tests.e2e.hardening 10000 --live     one mesh after another, at running proxies
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.e2e.hardening.generated import Drawn, judged, translatable
from tests.e2e.hardening.live import live, passable

_BATCH = 100

Judge = Callable[[Drawn], str]
"""Why a mesh was refused; empty: it was not."""


def main() -> int:
    """Ends with an error at the first mesh that an Envoy refuses, which is shown with the reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=int, nargs="?", default=10_000)
    parser.add_argument("--live", action="store_true")
    asked = parser.parse_args()
    meshes = passable() if asked.live else translatable()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _running(folder) if asked.live else _validating(folder) as judge:
            _all(asked.documents, meshes, judge)
    return 0


def _all(wanted: int, meshes: st.SearchStrategy[Drawn], judge: Judge) -> None:
    count = 0
    began = time.monotonic()

    @settings(
        max_examples=_BATCH,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(meshes)
    def batch(drawn: Drawn) -> None:
        nonlocal count
        count += len(drawn.mesh)
        refused = judge(drawn)
        assert not refused, f"{refused}\n{drawn}"

    while count < wanted:
        batch()
        print(f"{count:,} documents, {time.monotonic() - began:.0f} s, none refused", flush=True)


@contextlib.contextmanager
def _validating(folder: Path) -> Iterator[Judge]:
    yield lambda drawn: judged(drawn, folder)[1]


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[Judge]:
    with live(folder) as proxies:
        yield proxies.took


if __name__ == "__main__":
    sys.exit(main())
