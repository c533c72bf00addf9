"""An acknowledged object counts as delivered only if the peer lists it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.node.delivery.confirmation import Standing, standing_of
from app.node.journal.parcels import Parcel
from app.node.journal.states import DeliveryState
from app.settings import DeliverySettings

SENT = Parcel(
    delivery_id="d",
    sop_instance_uid="2.25.1",
    series_uid="2.25.2",
    study_uid="2.25.3",
    path="x",
    digest="y",
    kind="segmentation",
    state=DeliveryState.SENT,
    generation=1,
    attempts=1,
    released_at=0.0,
    next_attempt_at=None,
    sent_at=1000.0,
    last_error="",
)


@pytest.mark.parametrize(
    ("found", "now", "standing"),
    [
        (None, 1000, Standing.TAKEN_AT_WORD),
        (frozenset({"2.25.1", "2.25.9"}), 1000, Standing.FOUND),
        (frozenset({"2.25.1"}), 99999, Standing.FOUND),
        (frozenset(), 1600, Standing.NOT_YET),
        (frozenset({"2.25.9"}), 1601, Standing.MISSING),
    ],
)
def test_what_the_answer_says_of_an_object(
    found: frozenset[str] | None, now: float, standing: Standing
) -> None:
    assert standing_of(SENT, found, now, DeliverySettings(confirm_deadline_s=600)) is standing


def test_an_object_without_a_time_of_sending_was_sent_just_now() -> None:
    parcel = replace(SENT, sent_at=None)
    assert standing_of(parcel, frozenset(), 1e9, DeliverySettings()) is Standing.NOT_YET
