"""The API server of the tests of a cluster, and coroutines as tests."""

from __future__ import annotations

from tests.contract.kubernetes.conftest import cluster, pytest_pyfunc_call

__all__ = ["cluster", "pytest_pyfunc_call"]
