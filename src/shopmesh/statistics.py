"""Statistics of shares: confidence intervals, exact tests and sample sizes.

Pure functions over counts with the standard library alone, so that the command line needs no numerical
package. The binomial distribution's tails are the regularised incomplete beta function
(https://dlmf.nist.gov/8.17#i), computed by its continued fraction; relative errors stay below 1e-6 for counts
up to a million.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

_FRACTION_TERMS = 100_000
_FRACTION_PRECISION = 1e-15
# Outcomes as likely as the observed one count as equally extreme, in spite of rounding.
_TIE = 1 + 1e-7


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share: (low, high), both in 0..1.

    Raises ValueError for impossible counts. https://doi.org/10.1080/01621459.1927.10502953
    """
    _check(successes, trials, confidence)
    z = _two_sided(confidence)
    share = successes / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    middle = share + z * z / (2 * trials)
    scale = 1 + z * z / trials
    low = 0.0 if successes == 0 else max(0.0, (middle - spread) / scale)
    high = 1.0 if successes == trials else min(1.0, (middle + spread) / scale)
    return low, high


@functools.cache
def _two_sided(confidence: float) -> float:
    """How many standard deviations hold that share of a normal distribution; a stream asks for hundreds a second."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def binomial_test(successes: int, trials: int, share: float) -> float:
    """The exact two-sided p-value: how likely an outcome at most as likely as this one is if `share` is true.

    The two-sided rule is the one of R's `binom.test` and SciPy's `binomtest`: outcomes are ordered by their
    likelihood. Raises ValueError for impossible counts or a share outside 0..1.
    """
    _check(successes, trials, 0.5)
    if not 0 <= share <= 1:
        raise ValueError(f"a share is between 0 and 1, not {share!r}")
    if share in (0.0, 1.0):
        return 1.0 if successes == round(share * trials) else 0.0
    if successes == share * trials:
        return 1.0
    limit = _log_likelihood(successes, trials, share) + math.log(_TIE)
    if successes < share * trials:
        other = _first(math.ceil(share * trials), trials, lambda k: _log_likelihood(k, trials, share) <= limit)
        return min(1.0, at_most(successes, trials, share) + at_least(other, trials, share))
    other = _first(0, math.floor(share * trials), lambda k: _log_likelihood(k, trials, share) > limit)
    return min(1.0, at_least(successes, trials, share) + at_most(other - 1, trials, share))


def chi_square_test(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Pearson's test: how likely counts at least as far from these shares are if the shares are true.

    An approximation that needs an expected count of five each; impossible outcomes (a count where the share is 0)
    have the p-value 0. Raises ValueError for shares that are not 1 together. https://doi.org/10.1080/14786440009463897
    """
    if len(counts) != len(shares) or abs(sum(shares) - 1) > 1e-9 or min(shares) < 0:
        raise ValueError(f"{[*shares]!r} are not shares of {len(counts)}: they must be from 0 to 1 and add up to 1")
    total = sum(counts)
    if any(count and not share for count, share in zip(counts, shares, strict=True)):
        return 0.0
    possible = [(count, share * total) for count, share in zip(counts, shares, strict=True) if share]
    if len(possible) < 2 or not total:
        return 1.0
    distance = sum((count - expected) ** 2 / expected for count, expected in possible)
    return _upper_gamma((len(possible) - 1) / 2, distance / 2)


def power(trials: int, share: float, true_share: float, significance: float) -> float:
    """The probability that `binomial_test` rejects `share` at `significance` if `true_share` holds."""
    middle = round(share * trials)
    refused_from = _first(middle, trials, lambda k: binomial_test(k, trials, share) < significance)
    accepted_from = _first(0, middle, lambda k: binomial_test(k, trials, share) >= significance)
    return at_most(accepted_from - 1, trials, true_share) + at_least(refused_from, trials, true_share)


def sample_size(share: float, error: float, significance: float, wanted_power: float) -> int:
    """The number of requests that is needed to reject a share that is wrong by `error`, with that power.

    Starts from the normal approximation and goes up by half per cents until the exact power suffices in both
    directions. Raises ValueError when `share` plus or minus `error` leaves 0..1 on both sides.
    """
    truths = [truth for truth in (share - error, share + error) if 0 < truth < 1]
    if not truths or error <= 0:
        raise ValueError(f"no share differs from {share!r} by {error!r}")
    z_test = NormalDist().inv_cdf(1 - significance / 2)
    z_power = NormalDist().inv_cdf(wanted_power)
    spread = max(z_test * math.sqrt(share * (1 - share)) + z_power * math.sqrt(truth * (1 - truth)) for truth in truths)
    trials = math.ceil((spread / error) ** 2)
    while any(power(trials, share, truth, significance) < wanted_power for truth in truths):
        trials += max(1, trials // 200)
    return trials


def evidence(successes: int, trials: int, share: float) -> float:
    """The logarithm of the Bayes factor for an unknown share around `share` against `share` itself.

    It may be checked after every trial: if `share` is true, it ever reaches ln(1/a) with a probability of at most a
    (https://doi.org/10.1214/20-AOS1991). The unknown shares follow a beta distribution around `share`, worth one trial.
    """
    _check(successes, trials, 0.5)
    a, b = share, 1 - share
    likely = _log_beta(a + successes, b + trials - successes) - _log_beta(a, b)
    return likely - successes * math.log(share) - (trials - successes) * math.log1p(-share)


def at_most(successes: int, trials: int, share: float) -> float:
    """P(X <= successes) of a binomial X."""
    if successes < 0:
        return 0.0
    if successes >= trials:
        return 1.0
    return _incomplete_beta(trials - successes, successes + 1, 1 - share)


def at_least(successes: int, trials: int, share: float) -> float:
    """P(X >= successes) of a binomial X."""
    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    return _incomplete_beta(successes, trials - successes + 1, share)


def _check(successes: int, trials: int, confidence: float) -> None:
    if not (trials > 0 and 0 <= successes <= trials):
        raise ValueError(f"{successes!r} of {trials!r} is not a share: need 0 <= successes <= trials and trials > 0")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, not at {confidence!r}")


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_likelihood(successes: int, trials: int, share: float) -> float:
    ways = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
    return ways + successes * math.log(share) + (trials - successes) * math.log1p(-share)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first k in low..high for which `holds`, which once true stays true; high + 1 if there is none."""
    high += 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) by Lentz's method; the symmetric form is used where the fraction converges faster."""
    if x <= 0 or x >= 1:
        return min(1.0, max(0.0, x))
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    fraction = d
    for m in range(1, _FRACTION_TERMS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + numerator * d or tiny)
            c = 1 + numerator / c or tiny
            fraction *= c * d
        if abs(c * d - 1) < _FRACTION_PRECISION * 10:
            break
    return front * fraction / a


def _upper_gamma(a: float, x: float) -> float:
    """Q(a, x), the regularised upper incomplete gamma function: https://dlmf.nist.gov/8.7.E1, /8.9.E2."""
    if x <= 0:
        return 1.0
    front = math.exp(-x + a * math.log(x) - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, _FRACTION_TERMS):
            term *= x / (a + n)
            total += term
            if term < total * _FRACTION_PRECISION:
                break
        return 1.0 - total * front
    b = x + 1 - a
    c, d = 1e300, 1 / b
    fraction = d
    for n in range(1, _FRACTION_TERMS):
        numerator = -n * (n - a)
        b += 2
        d = 1 / (numerator * d + b)
        c = b + numerator / c
        fraction *= c * d
        if abs(c * d - 1) < _FRACTION_PRECISION * 10:
            break
    return fraction * front
