"""Selection on generated studies: the figures the product is held to, whatever people type."""

from __future__ import annotations

import pytest

from operators.dicom.selection.series_selection import SeriesDecision, decide
from tests.builders.mr_headers import GeneratedSeries, generate
from tests.builders.mr_other_protocols import PROTOCOLS
from tests.builders.mr_texts import reworded


@pytest.fixture(scope="module")
def studies() -> tuple[GeneratedSeries, ...]:
    return generate(seed=20261121, studies=100)


@pytest.fixture(scope="module")
def decisions(studies: tuple[GeneratedSeries, ...]) -> tuple[SeriesDecision, ...]:
    return decide([item.record for item in studies])


@pytest.fixture(
    scope="module",
    params=["blank", "shuffled_in_study", "shuffled", "translated"],
)
def reworded_decisions(
    request: pytest.FixtureRequest,
    studies: tuple[GeneratedSeries, ...],
) -> tuple[SeriesDecision, ...]:
    return decide([item.record for item in reworded(studies, request.param)])


def test_at_least_600_headers_of_every_protocol_are_drawn(studies: tuple[GeneratedSeries, ...]):
    assert len(studies) >= 600
    assert {item.protocol for item in studies} >= set(PROTOCOLS)
    assert sum(item.wanted for item in studies) >= 150


def test_precision_reaches_99_and_recall_98_percent_with_the_original_text(
    studies: tuple[GeneratedSeries, ...],
    decisions: tuple[SeriesDecision, ...],
):
    _assert_figures(studies, decisions)


def test_precision_and_recall_hold_for_another_seed():
    drawn = generate(seed=1, studies=55)

    _assert_figures(drawn, decide([item.record for item in drawn]))


def test_precision_and_recall_hold_when_the_text_is_changed(
    studies: tuple[GeneratedSeries, ...],
    reworded_decisions: tuple[SeriesDecision, ...],
):
    _assert_figures(studies, reworded_decisions)


def test_not_one_decision_changes_with_the_text_where_physics_decides(
    studies: tuple[GeneratedSeries, ...],
    decisions: tuple[SeriesDecision, ...],
    reworded_decisions: tuple[SeriesDecision, ...],
):
    flipped = [
        item.protocol
        for item, before, after in zip(studies, decisions, reworded_decisions, strict=True)
        if item.physics_decides and before.accepted != after.accepted
    ]
    assert flipped == []


def test_of_a_dual_echo_series_exactly_the_t2_echo_is_taken(
    studies: tuple[GeneratedSeries, ...],
    decisions: tuple[SeriesDecision, ...],
):
    pairs = [pair for pair in zip(studies, decisions, strict=True) if pair[0].echo_taken_ms]

    assert len(pairs) == 20
    for item, decision in pairs:
        assert decision.stacks
        times = {frame.header.EchoTime for frame in decision.stacks[0].record.frames}
        assert times == {item.echo_taken_ms}
        assert 2 * len(decision.stacks[0].record.frames) == len(item.record.frames)


def test_every_decision_has_a_reason_that_decides(decisions: tuple[SeriesDecision, ...]):
    for decision in decisions:
        deciding = {reason.speaks_for for reason in decision.reasons if reason.decides}
        assert decision.accepted == (deciding == {True})
        assert deciding


def _assert_figures(
    studies: tuple[GeneratedSeries, ...],
    decisions: tuple[SeriesDecision, ...],
) -> None:
    """Precision and recall, with the protocols that went wrong in the message."""
    pairs = list(zip(studies, decisions, strict=True))
    hits = sum(item.wanted and decision.accepted for item, decision in pairs)
    taken = sum(decision.accepted for decision in decisions)
    wanted = sum(item.wanted for item in studies)
    wrong = [item.protocol for item, decision in pairs if item.wanted != decision.accepted]
    assert hits / taken >= 0.99, wrong
    assert hits / wanted >= 0.98, wrong
