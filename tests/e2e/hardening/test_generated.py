"""What the API accepts, Envoy accepts. `python -m tests.e2e.hardening` shows it more."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from shopmesh.appmesh.store import State, Transaction
from tests.e2e.hardening.generated import Drawn, judged, translatable
from tests.support.judging import refusal, snapshots
from tests.unit.xds import meshes


@settings(
    max_examples=30,
    deadline=None,
    # Looking for a smaller mesh that fails takes minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(translatable())
def test_envoy_takes_whatever_the_api_accepts(tmp_path: Path, drawn: Drawn) -> None:
    """Any mesh of valid documents, annotated, translated for proxies of both modes: no Envoy refuses its part."""
    _, refused = judged(drawn, tmp_path)

    assert refused == ""


def test_the_judge_says_what_envoy_would_refuse(tmp_path: Path) -> None:
    """A document that got past the API (a regular expression with a look-ahead) is refused, with Envoy's words."""
    transaction = Transaction(State())
    for one in (
        *meshes.shop({"product": 1}),
        meshes.route("product-r", "regex", {"product": 1}, {"path": {"regex": "(?=x)"}}),
    ):
        transaction.put(one)
    state = State()
    state.apply(transaction.changes)

    assert "invalid perl operator" in refusal(snapshots(state), tmp_path)
