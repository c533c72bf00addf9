"""Is a complete series one to segment? The pipeline's own selection over the files of the spool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from operators.dicom.image_kind import dixon_image
from operators.dicom.selection import as_json, decide
from operators.dicom.series import scan_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from operators.dicom.selection import SeriesDecision
    from operators.dicom.series import SeriesRecord

UNREADABLE: Final = "no_readable_image"


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


def choose(
    series_uid: str, files: Sequence[Path], other_files: Callable[[], Sequence[Path]]
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
        them: a Dixon water image is not wanted where there is an in-phase image.

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
    (decision,) = decide([record])
    is_water = decision.accepted and _is_water(decision)
    if is_water:
        others = scan_files(other_files()).series
        decision, *_ = decide([record, *others])
    (plain,) = as_json([decision])
    return Choice(
        is_accepted=decision.accepted,
        reasons=tuple(
            reason.name
            for reason in decision.reasons
            if reason.decides and reason.speaks_for == decision.accepted
        ),
        decision=plain,
        depends_on_others=is_water,
    )


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


def _is_water(decision: SeriesDecision) -> bool:
    stack = decision.stack
    return stack is not None and any(dixon_image(frame.header).is_water for frame in stack.frames)
