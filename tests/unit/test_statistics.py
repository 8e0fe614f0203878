"""The statistics against SciPy, which is not needed at run time."""

from __future__ import annotations

import math
import random

import pytest
from scipy import stats

from shopmesh.statistics import binomial_test, chi_square_test, evidence, power, sample_size, wilson

COUNTS = [(0, 1), (1, 1), (0, 40), (40, 40), (1, 7), (500, 1000), (2690, 5600), (123, 1_000_000)]


def drawn(seed: int, cases: int) -> list[tuple[int, int, float]]:
    random_ = random.Random(seed)
    drawn_cases = []
    for _ in range(cases):
        trials = int(10 ** random_.uniform(0, 5))
        share = random_.choice([random_.random(), 0.5, 0.25, 0.01])
        near = round(trials * share + random_.gauss(0, 1) * 3 * (trials * share * (1 - share)) ** 0.5)
        drawn_cases.append((min(trials, max(0, near)), trials, share))
    return drawn_cases


@pytest.mark.parametrize(("successes", "trials"), COUNTS)
def test_intervals_agree_with_scipy(successes: int, trials: int) -> None:
    """They are SciPy's, at the edges and for large counts."""
    result = stats.binomtest(successes, trials)
    for confidence in (0.95, 0.999):
        expected = result.proportion_ci(confidence, "wilson")

        assert wilson(successes, trials, confidence) == pytest.approx(
            (expected.low, expected.high), rel=1e-6, abs=1e-12
        )


def test_the_exact_test_agrees_with_scipy() -> None:
    """Four hundred random cases of one to a hundred thousand trials have SciPy's two-sided p-value."""
    for successes, trials, share in drawn(7, 400):
        expected = stats.binomtest(successes, trials, share).pvalue

        assert binomial_test(successes, trials, share) == pytest.approx(expected, rel=1e-6, abs=1e-300), (
            successes,
            trials,
            share,
        )


@pytest.mark.parametrize(
    ("share", "successes", "expected"), [(0.0, 0, 1.0), (0.0, 1, 0.0), (1.0, 10, 1.0), (1.0, 9, 0.0)]
)
def test_a_share_of_nothing_or_all_allows_no_exception(share: float, successes: int, expected: float) -> None:
    """A target of 0 % is refused by one request, and one of 100 % by one that went elsewhere."""
    assert binomial_test(successes, 10, share) == expected


@pytest.mark.parametrize("successes", [2, 50, 98])
def test_an_outcome_as_extreme_on_the_other_side_counts(successes: int) -> None:
    """At one half the test is symmetric."""
    assert binomial_test(successes, 100, 0.5) == pytest.approx(binomial_test(100 - successes, 100, 0.5), rel=1e-9)


def test_power_is_the_share_of_outcomes_that_are_refused() -> None:
    """Power equals the sum over SciPy's distribution of all outcomes that the test refuses."""
    trials, share, truth, significance = 300, 0.25, 0.4, 1e-3
    expected = sum(
        stats.binom.pmf(k, trials, truth)
        for k in range(trials + 1)
        if stats.binomtest(k, trials, share).pvalue < significance
    )

    assert power(trials, share, truth, significance) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("share", "about"), [(0.5, 5600), (0.25, 4400), (0.1, 2400)])
def test_the_sample_size_gives_its_power_and_is_not_generous(share: float, about: int) -> None:
    """An error of five points is refused at p < 1e-5 with a power of 99.9 %; 5 % fewer would not do."""
    size = sample_size(share, 0.05, 1e-5, 0.999)

    assert size == pytest.approx(about, rel=0.06)
    assert all(power(size, share, truth, 1e-5) >= 0.999 for truth in (share - 0.05, share + 0.05))
    assert any(power(size * 95 // 100, share, truth, 1e-5) < 0.999 for truth in (share - 0.05, share + 0.05))


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    """Counts that cannot be a share are named in the error."""
    with pytest.raises(ValueError, match="is not a share"):
        wilson(successes, trials)
    with pytest.raises(ValueError, match="is not a share"):
        binomial_test(successes, trials, 0.5)


def test_the_chi_square_test_agrees_with_scipy() -> None:
    """Three to six versions, near the shares and far from them."""
    random_ = random.Random(7)
    for _ in range(300):
        parts = [random_.random() + 0.05 for _ in range(random_.randint(2, 6))]
        shares = [part / sum(parts) for part in parts]
        counts = [max(0, round(share * 2000 + random_.gauss(0, 40))) for share in shares]
        expected = [share * sum(counts) for share in shares]

        assert stats.chisquare(counts, expected).pvalue == pytest.approx(
            chi_square_test(counts, shares), rel=1e-6, abs=1e-13
        )


@pytest.mark.parametrize(
    ("counts", "shares", "p"), [([5, 1, 0], [0.5, 0.0, 0.5], 0.0), ([7, 0], [1.0, 0.0], 1.0), ([0, 0], [0.5, 0.5], 1.0)]
)
def test_the_chi_square_test_at_its_edges(counts: list[int], shares: list[float], p: float) -> None:
    """A version that should get nothing and got something is impossible; nothing at all proves nothing."""
    assert p == chi_square_test(counts, shares)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_evidence_may_be_looked_at_after_each_trial(share: float) -> None:
    """Where the share is true, one in twenty at most ever sees evidence of ln(20); where it is not, nearly all do."""
    random_ = random.Random(3)

    def ever(truth: float) -> int:
        return sum(_convinced(random_, truth, share) for _ in range(200))

    assert ever(share) <= 17
    assert ever(share + 0.1) >= 190


def _convinced(random_: random.Random, truth: float, share: float) -> bool:
    successes = 0
    for trials in range(1, 800):
        successes += random_.random() < truth
        if evidence(successes, trials, share) >= math.log(20):
            return True
    return False


def test_evidence_is_the_ratio_of_two_likelihoods() -> None:
    """SciPy's beta-binomial against its binomial, as the definition has it."""
    for successes, trials, share in [(0, 1, 0.1), (3, 3, 0.05), (50, 400, 0.1), (9, 10, 0.9)]:
        mixed = stats.betabinom.logpmf(successes, trials, share, 1 - share)

        assert evidence(successes, trials, share) == pytest.approx(mixed - stats.binom.logpmf(successes, trials, share))
