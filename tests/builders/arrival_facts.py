"""Facts of a sagittal series as the listener keeps them: one slice every 4.4 mm."""

from __future__ import annotations

from dataclasses import replace

from app.node.journal.facts import ArrivalFacts

STEP_MM = 4.4
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
"""The normal points to -x: places grow while x falls."""


def slice_facts(number: int, **changes: object) -> ArrivalFacts:
    """Slice `number` (from 0) of a classic series."""
    plain = ArrivalFacts(
        modality="MR",
        is_image=True,
        rows=400,
        columns=400,
        image_position=(-STEP_MM * number, -120.0, 150.0),
        image_orientation=SAGITTAL,
        acquisition_number=1,
        echo_number=1,
        echo_time=100.0,
    )
    return replace(plain, **changes)


def series_facts(slices: int, **changes: object) -> list[ArrivalFacts]:
    """Return a whole series in order of place."""
    return [slice_facts(number, **changes) for number in range(slices)]
