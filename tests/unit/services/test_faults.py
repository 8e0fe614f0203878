"""Faults and readiness: decided by a seed, changed while the service runs."""

from __future__ import annotations

from services.chassis.config import Config
from services.chassis.faults import Fault, FaultInjector
from services.chassis.runtime_state import FaultSettings, RuntimeState, shared_memory


def draws(faults: FaultInjector, count: int = 200) -> list[Fault]:
    return [faults.draw() for _ in range(count)]


def faults_of(**settings: float) -> FaultInjector:
    state = RuntimeState(Config())
    state.set_faults(FaultSettings(**settings))  # type: ignore[arg-type]  # a seed is whole here
    return FaultInjector(state)


def test_nothing_is_faulted_unless_asked_for() -> None:
    """The default."""
    assert set(draws(FaultInjector(RuntimeState(Config())))) == {Fault()}


def test_a_seed_gives_its_sequence() -> None:
    """The same seed the same, another seed another."""
    assert draws(faults_of(error_share=0.5, seed=1)) == draws(faults_of(error_share=0.5, seed=1))
    assert draws(faults_of(error_share=0.5, seed=1)) != draws(faults_of(error_share=0.5, seed=2))


def test_the_shares_are_kept() -> None:
    """About a tenth of a thousand fail, and about a third are delayed, by what was asked for."""
    found = draws(faults_of(error_share=0.1, delay_ms=50, delay_share=0.3), 1000)

    assert 70 < sum(fault.error for fault in found) < 130
    assert 250 < sum(fault.delay == 0.05 for fault in found) < 350


def test_delays_do_not_shift_the_errors() -> None:
    """Whether requests are delayed, too, the same ones fail."""
    errors = [fault.error for fault in draws(faults_of(error_share=0.5))]

    assert errors == [fault.error for fault in draws(faults_of(error_share=0.5, delay_ms=1, delay_share=0.5))]


def test_setting_the_faults_starts_the_sequence_again() -> None:
    """So that what is seen after a switch can be repeated."""
    state = RuntimeState(Config(fault_error_share=0.5))
    faults = FaultInjector(state)
    first = draws(faults)
    state.set_faults(FaultSettings(error_share=0.5))

    assert draws(faults) == first


def test_switches_in_shared_memory_are_one() -> None:
    """Two processes' state over one memory: what one sets, the other sees; the configuration comes first."""
    memory = shared_memory()
    one, other = RuntimeState(Config(fault_error_share=0.25)), RuntimeState(Config(fault_error_share=0.25))
    one.share(memory)
    one.set_ready(False)
    one.set_faults(FaultSettings(delay_ms=5))
    other.share(memory)

    assert not other.ready
    assert other.faults() == one.faults() == (1, FaultSettings(delay_ms=5))


def test_the_configured_faults_survive_sharing() -> None:
    """Blank memory takes over what the configuration said."""
    state = RuntimeState(Config(fault_error_share=0.25, fault_seed=-7))
    state.share(shared_memory())

    assert state.ready
    assert state.faults()[1] == FaultSettings(error_share=0.25, seed=-7)


def test_a_stopping_process_is_not_ready_whatever_is_switched() -> None:
    """But it takes no other process along."""
    memory = shared_memory()
    one, other = RuntimeState(Config()), RuntimeState(Config())
    one.share(memory)
    other.share(memory)
    one.stop()
    one.set_ready(True)

    assert (one.ready, other.ready) == (False, True)
