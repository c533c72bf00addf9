"""Is a complete series one to segment? The pipeline's own selection over the files of the spool."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from operators.dicom.reading.regularity import MIN_SLICES
from operators.dicom.reading.series import scan_files
from operators.dicom.selection.image_kind import dixon_image
from operators.dicom.selection.outlook import as_json
from operators.dicom.selection.series_selection import decide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from app.node.journal.series import HeldObject
    from operators.dicom.reading.series import SeriesRecord
    from operators.dicom.selection.series_selection import (
        SelectionSettings,
        SeriesDecision,
    )

UNREADABLE: Final = "no_readable_image"
REPEATED: Final = "repeated_sop_instance_uid"


_NEIGHBOURS: Final = 4 * MIN_SLICES
"""Objects that are looked at to find out whether few slices are a part of an acquisition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The decision on a series.

    Attributes
    ----------
    is_accepted : bool
        Whether it is to be segmented.
    reasons : tuple of str
        Names of the reasons that decided.
    decision : dict
        As ``spine-node explain --json`` shows it.
    depends_on_others : bool
        Whether series of the study that are still arriving may change it.
    """

    is_accepted: bool
    reasons: tuple[str, ...]
    decision: dict[str, Any]
    depends_on_others: bool = False


def refuse_repeated(choice: Choice, count: int) -> Choice:
    """Reject a series of which images were lost because they share their UIDs.

    Parameters
    ----------
    choice : Choice
        On what is left of it.
    count : int
        UIDs that stand on images of several places; 0 changes nothing.

    Returns
    -------
    Choice
        Rejected, with the reason before the others.
    """
    if not count:
        return choice
    reason = {
        "name": REPEATED,
        "detail": f"{count} UIDs stand on images of several places",
        "speaks_for": False,
        "decides": True,
    }
    reasons = [reason, *choice.decision.get("reasons", ())]
    decision = {**choice.decision, "accepted": False, "selected": False, "reasons": reasons}
    return replace(choice, is_accepted=False, reasons=(REPEATED,), decision=decision)


def choose(
    series_uid: str,
    files: Sequence[Path],
    other_files: Callable[[], Sequence[Path]],
    settings: SelectionSettings,
) -> Choice:
    """Decide on one series.

    Parameters
    ----------
    series_uid : str
        Which.
    files : sequence of Path
        Its objects.
    other_files : callable
        Gives the objects of the study's other series; asked only where the answer depends on
        them: a Dixon water image is not wanted where there is an in-phase image, and a few
        slices may be a part of an acquisition whose other slices are series of their own.
    settings : SelectionSettings
        What is worth segmenting.

    Returns
    -------
    Choice
        With all reasons.
    """
    record = _record_of(series_uid, files)
    if record is None:
        return Choice(
            is_accepted=False,
            reasons=(UNREADABLE,),
            decision={"series_uid": series_uid, "accepted": False, "reasons": [_UNREADABLE_REASON]},
        )
    (decision,) = decide([record], settings)
    depends_on_others = _depends_on_others(decision)
    if depends_on_others:
        others = scan_files(other_files()).series
        decision, *_ = decide([record, *others], settings)
    (plain,) = as_json([decision])
    return Choice(
        is_accepted=decision.accepted,
        reasons=tuple(
            reason.name
            for reason in decision.reasons
            if reason.decides and reason.speaks_for == decision.accepted
        ),
        decision=plain,
        depends_on_others=depends_on_others,
    )


def neighbours(held: Sequence[HeldObject], others: Sequence[HeldObject]) -> list[HeldObject]:
    """Objects of other series that may change the choice of a series.

    Parameters
    ----------
    held, others : sequence of HeldObject
        Objects of the series, and of all other series of its study.

    Returns
    -------
    list of HeldObject
        All; for a series of few slices at known places those alone that lie nearest to the first
        of them and look like it: else hundreds of series of one slice would each be read with all
        others.
    """
    first = held[0].facts
    if len(held) >= MIN_SLICES or first.image_position is None:
        return list(others)
    place = first.image_position
    alike = [
        (math.dist(place, other.facts.image_position), number)
        for number, other in enumerate(others)
        if other.facts.image_position is not None
        and other.facts.image_orientation == first.image_orientation
        and other.facts.echo_time == first.echo_time
    ]
    return [others[number] for _, number in sorted(alike)[:_NEIGHBOURS]]


_UNREADABLE_REASON: Final = {
    "name": UNREADABLE,
    "detail": "",
    "speaks_for": False,
    "decides": True,
}


def _record_of(series_uid: str, files: Sequence[Path]) -> SeriesRecord | None:
    """Give the series with most images under this UID, should a sender use it in two studies."""
    found = [record for record in scan_files(files).series if record.series_uid == series_uid]
    return max(found, key=lambda record: len(record.frames), default=None)


def _depends_on_others(decision: SeriesDecision) -> bool:
    frames = [frame for chosen in decision.stacks for frame in chosen.record.frames]
    is_water = any(dixon_image(frame.header).is_water for frame in frames)
    return is_water or 0 < len(frames) < MIN_SLICES
