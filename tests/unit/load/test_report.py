"""What a report says of loads whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from scipy import stats

from shopmesh.load.engine.results import NOT_SENT_BUSY, NOT_SENT_LATE, LoadResults
from shopmesh.load.judgement.assertions import Assertions, failed_assertions
from shopmesh.load.judgement.significance import p_value, required_requests, rule_of_three
from shopmesh.load.judgement.weights import WeightSetting
from shopmesh.load.report.comparison import compare, failures_differ
from shopmesh.load.report.json_report import to_json
from shopmesh.load.report.report import UNKNOWN, LoadReport, build_report
from shopmesh.load.report.result_file import ResultFileError, parse
from shopmesh.load.report.series import MAX_POINTS, spans
from shopmesh.load.report.text import format_milliseconds
from tests.support.loads import canary, product, simulated

QUARTER = [WeightSetting(-1.0, -1.0, product(0.25))]
SPLIT = Assertions(split=True)


def judged(share: float, seed: int = 1, rate: float = 160) -> list[str]:
    """What is said about a load whose weights say a quarter, and whose truth is `share`."""
    return failed_assertions(build_report(simulated(QUARTER, {0.0: share}, rate=rate, seed=seed)), SPLIT)


def test_each_version_has_its_figures() -> None:
    """Requests, share of its service's answers, failures, latencies: through the whole call tree."""
    report = build_report(canary())
    figures = {version.version: version for version in report.versions}

    assert ["customer/1.0", "order/1.0", "product/1.0", "product/2.0"] == list(figures)
    assert 6000 == figures["order/1.0"].count == figures["order/1.0"].total
    assert 6000 == figures["product/1.0"].count + figures["product/2.0"].count == figures["product/1.0"].total
    assert (0, 13) == (figures["product/1.0"].bad, figures["product/2.0"].bad)
    assert {"answered 503 (UF)": 13} == report.failures
    assert (figures["product/2.0"].quantiles[0] or 0) > (figures["product/1.0"].quantiles[0] or 0)


def test_each_change_of_the_weights_is_judged_by_itself() -> None:
    """Three spans with three targets; what left about a change belongs to none of them."""
    splits = build_report(canary()).splits

    assert [0.0, 0.25, 0.5] == [split.shares[1].target for split in splits]
    assert [0.0, 9.7, 10.312, 19.7, 20.308, 30.0] == pytest.approx(
        [moment for split in splits for moment in (split.phase.begin, split.phase.end)]
    )
    assert all((split.p_value or 0) > 0.001 for split in splits)
    assert 0 == splits[0].shares[1].count
    # Only whole tenths of a second count: 97 + 93 + 97 of them, twenty requests each.
    assert 20 * (97 + 93 + 97) == pytest.approx(sum(split.total for split in splits), abs=60)


def test_the_probability_is_scipys() -> None:
    """Exact for two versions, χ² for three."""
    assert stats.binomtest(31, 100, 0.25).pvalue == pytest.approx(
        p_value({"a/1": 69, "a/2": 31}, {"a/1": 0.75, "a/2": 0.25})
    )
    assert stats.chisquare([60, 25, 15], [50, 30, 20]).pvalue == pytest.approx(
        p_value({"a/1": 60, "a/2": 25, "a/3": 15}, {"a/1": 0.5, "a/2": 0.3, "a/3": 0.2})
    )


def test_a_version_that_should_get_nothing_is_impossible() -> None:
    """One request to it is enough; none at all says nothing against the weights."""
    assert 0.0 == p_value({"a/1": 999, "a/2": 1}, {"a/1": 1.0, "a/2": 0.0})
    assert 0.0 == p_value({"a/1": 999, "b/2": 1, "a/3": 0}, {"a/1": 0.5, "a/3": 0.5})
    assert 1.0 == p_value({}, {"a/1": 0.5, "a/2": 0.5})


def test_a_share_as_set_passes_and_one_that_is_not_fails() -> None:
    """Nine loads of 4,800 requests: none of a true quarter is refused, all of 30 and of 20 % are."""
    assert [] == [said for seed in range(3) for said in judged(0.25, seed)]
    assert all(judged(share, seed) for share in (0.20, 0.30) for seed in range(3))


def test_the_complaint_says_what_was_seen() -> None:
    """Version, share, requests, target, time, and how likely that is."""
    [said] = judged(0.5)

    assert said.startswith(("product/2.0 got 5", "product/2.0 got 4"))
    assert "% of 4,800 requests instead of 25 %, from 0.0 s to 30.0 s (the probability by chance is p = " in said


def test_too_few_requests_prove_nothing() -> None:
    """They are demanded, with their number."""
    [said] = judged(0.25, rate=20)

    assert (
        "600 requests of product from 0.0 s to 30.0 s are too few to judge its shares:"
        f" {required_requests(0.25):,} are needed" == said
    )


def test_without_weights_no_share_can_be_promised() -> None:
    """Not knowing is no pass."""
    [said] = failed_assertions(build_report(simulated([], {0.0: 0.5}, seconds=1)), SPLIT)

    assert "shares cannot be judged" in said


def test_a_change_that_nobody_confirmed_is_not_judged() -> None:
    """From then on it is not known which weights acted."""
    settings = [*QUARTER, WeightSetting(10.0, None, product(0.9), "route", 1)]
    report = build_report(simulated(settings, {0.0: 0.25}))

    assert [9.7] == [pytest.approx(split.phase.end) for split in report.splits]
    assert [None] == [change.milliseconds for change in report.changes]


def test_what_was_under_way_when_a_change_came_is_not_judged() -> None:
    """One request that took two seconds met the next weights, and makes no impossible share of the last ones."""
    quick, slow = canary(), canary()
    slow.results.record_response(200, (None, b"order/1.0", b"product/2.0"), b"", 9.05, 2.0, 2.0)
    before, after = (build_report(record).splits[0] for record in (quick, slow))

    assert (1.0, 1.0) == (before.p_value, after.p_value)
    # The tenth of a second that it left in, and no other.
    assert 20 == pytest.approx(before.total - after.total, abs=1)


def test_failures_are_held_against_all_that_was_due() -> None:
    """13 of 6,000 are more than 0.2 %, and not more than 0.3 %."""
    report = build_report(canary())

    assert [] == failed_assertions(report, Assertions(errors=0.003))
    assert ["13 of 6,000 requests failed (0.22 %), more than 0.2 %"] == failed_assertions(
        report, Assertions(errors=0.002)
    )


def test_a_p99_is_of_all_requests_not_of_the_lucky_ones() -> None:
    """What was dropped counts as slower than anything: otherwise a server that stalls would look fast."""
    record = simulated(QUARTER, {0.0: 0.25}, seconds=5)
    slow = build_report(record)
    tally = record.results
    for _ in range(20):
        tally.record_failure(NOT_SENT_BUSY, 1.0)
    dropping = build_report(replace(record, due=tally.ended))

    assert [] == failed_assertions(slow, Assertions(p99=1.0))
    assert "more than 20 ms" in failed_assertions(slow, Assertions(p99=0.02))[0]
    assert failed_assertions(dropping, Assertions(p99=1.0))[0].startswith("only 1,000 of 1,020 requests succeeded")


def test_nothing_due_shows_nothing() -> None:
    """An empty load does not pass."""
    record = replace(simulated([], {0.0: 0.0}, seconds=1), due=0, results=LoadResults())

    assert ["no request was due, so no assertion can be checked"] == failed_assertions(
        build_report(record), Assertions(errors=0.0)
    )


def test_a_request_that_is_not_accounted_for_has_failed() -> None:
    """One that vanished in the client itself must not pass for answered."""
    record = simulated([], {0.0: 0.0}, seconds=1)
    report = build_report(replace(record, due=record.due + 1))

    assert {UNKNOWN: 1} == report.failures
    assert failed_assertions(report, Assertions(errors=0.0))


def test_no_failure_is_told_with_what_it_proves() -> None:
    """The rule of three, which is close to the exact bound."""
    assert "0 of 6,000, at most 0.05 % (3/N at 95 %)" == rule_of_three(6000)
    assert stats.binomtest(0, 6000, alternative="less").proportion_ci().high == pytest.approx(3 / 6000, rel=0.01)
    assert "0 of 0" == rule_of_three(0)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"cpu": 0.95}, "the client, not the target, may be the limit: it used 95% of a core"),
        ({"very_late": 500}, "the client was behind: 500 requests were sent over 10 ms late"),
        ({"queued": 500}, "500 requests had to wait for one of the connections"),
        ({"dropped": NOT_SENT_BUSY}, "1 requests were not sent because the queue"),
        (
            {"dropped": NOT_SENT_LATE},
            "late with a connection free, 1 were not sent",
        ),
    ],
)
def test_the_client_says_when_it_is_the_limit(record: dict[str, object], said: str) -> None:
    """A busy core, late sends, a queue, a drop: each is a warning; an easy load has none."""
    easy = simulated(QUARTER, {0.0: 0.25}, seconds=2)
    assert [] == build_report(easy).warnings

    match record:
        case {"cpu": float(cpu)}:
            easy = replace(easy, cpu=cpu)
        case {"dropped": str(reason)}:
            easy.results.record_failure(reason, 1.0)
        case _:
            for name, value in record.items():
                setattr(easy.results, name, value)

    assert said in build_report(easy).warnings[0]


def test_a_report_survives_its_file() -> None:
    """JSON and back: the same report, to the last figure."""
    before = build_report(canary())
    text = json.dumps(to_json(before, ["bad"]))
    after = build_report(parse(text))

    assert text == json.dumps(to_json(after, ["bad"]))
    assert not json.loads(text)["passed"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[]", "is not a report"),
        ('{"format": "shopmesh load 1"}', "is a damaged report"),
        ("[" * 100_000, "is nested deeper than 64 levels"),
        ('{"due": NaN}', "NaN is not a JSON number"),
    ],
)
def test_another_file_is_refused(text: str, said: str) -> None:
    """With what is wrong about it."""
    with pytest.raises(ResultFileError, match=said):
        parse(text)


def test_the_load_over_time_has_few_points_and_loses_nothing() -> None:
    """Each span with what was planned in it, however long the load was."""
    found = spans(canary())

    assert len(found) <= MAX_POINTS
    assert 6000 == sum(span.sent for span in found)
    assert 6000 == pytest.approx(sum(span.planned for span in found))
    low, share, high = found[-1].share("product/2.0") or (0, 0, 0)
    assert low < share < high


def test_two_loads_are_compared_figure_by_figure() -> None:
    """Shares and latencies with their change; a version that one of them lacks is a dash."""
    before, after = (
        build_report(simulated([], {0.0: 0.0}, seconds=5)),
        build_report(simulated([], {0.0: 1.0}, seconds=5)),
    )
    rows = {row.what: row for row in compare(before, after)}

    assert ("1,000", "1,000", 0.0) == (rows["requests"].before, rows["requests"].after, rows["requests"].change)
    assert "-" == rows["product/2.0 p99 ms"].before == rows["product/1.0 p99 ms"].after
    assert (rows["p50 ms"].change or 0) > 0.2


def test_unequal_failures_are_told_from_chance() -> None:
    """13 against none of as many is not chance; none at all is no question."""
    clean: LoadReport = build_report(simulated([], {0.0: 0.5}))

    assert 2 * 0.5**13 == pytest.approx(failures_differ(clean, build_report(canary())))
    assert failures_differ(clean, clean) is None


@pytest.mark.parametrize(
    ("seconds", "told"), [(None, "-"), (0.000123, "0.12"), (0.009999, "10.0"), (0.0123, "12.3"), (1.5, "1,500")]
)
def test_milliseconds_have_the_digits_that_tell_something(seconds: float | None, told: str) -> None:
    """Three of them, more or less."""
    assert told == format_milliseconds(seconds)
