"""A person corrects the levels of a result: what was wished, checked against what the page shows.

Whether the names fit the bones is judged twice: here by their order, so that the person learns it
at once, and by the run, which sees the masks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.node.archive.given_names import keep_given_names
from app.node.journal import corrections, overview
from app.node.journal.audit import deed_of, record_deed
from app.node.journal.engine import transaction
from app.node.telemetry import events
from operators.anatomy.columns import is_possible, places_of, shifted
from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.levels import UNCERTAIN, level_text
from operators.anatomy.named_vertebrae import SAME_PLACE_MM, NamedVertebra, level_named
from operators.errors import NamesRejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.node.journal.audit import Actor
    from app.node.journal.rows import JobRow
    from app.node.web.site import Site

ACTION: Final = "job.levels"
"""In the audit trail and the event log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants of the levels of one result; of the last three, one is given.

    Attributes
    ----------
    job_id : str
        Whose result.
    actor : Actor
        For the audit trail.
    key : str
        Which result of the job; empty: its only one.
    names : mapping of int to str
        Level by number of the vertebra; the others follow.
    step : int
        1: every vertebra gets the name of the bone below it, -1: of the one above.
    is_withdrawn : bool
        The names as they are computed.
    """

    job_id: str
    actor: Actor
    key: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    step: int = 0
    is_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class _Shown:
    """One vertebra as the page shows it."""

    vertebra: int
    level: int
    text: str
    centre_mm: tuple[float, ...]


def rename(site: Site, wish: Wish) -> bool:
    """Keep what a person said, write down who said it, and have the results made anew.

    Parameters
    ----------
    site : Site
        The node.
    wish : Wish
        Who wants what.

    Returns
    -------
    bool
        False where there is no such job.

    Raises
    ------
    NamesRejectedError
        ``unknown_result``, ``unknown_vertebra``, ``unknown_level``, ``impossible_order``,
        ``nothing_to_shift``, ``places_unknown``, or one of
        `app.node.journal.corrections.OBSTACLES`.
    SpoolError
        If it cannot be kept beside the journal, too; then nothing is changed.
    """
    now = site.clock()
    with transaction(site.engine) as c:
        row = overview.find_job(c, wish.job_id)
        if row is None:
            return False
        entries = _entries_of(row)
        key = _key_of(wish, entries)
        named = _named(wish, key, entries[key])
        before = corrections.latest(c, row.series_uid, row.content_digest)
        kept = () if before is None else _kept(before.named, key, entries)
        corrections.correct(c, wish.job_id, (*kept, *named), actor=wish.actor.name, now=now)
        detail = "withdrawn" if wish.is_withdrawn else _told(entries[key], named)
        keep_given_names(site.node.data, corrections.latest_row(c, row))
        record_deed(
            c,
            deed_of(wish.actor, at=now, action=ACTION, subject=wish.job_id, detail=detail),
        )
    site.emit(events.ACTION_TAKEN, action=ACTION, subject=wish.job_id)
    return True


def _entries_of(row: JobRow) -> dict[str, list[_Shown]]:
    """Vertebrae of every result of a job, by the result's key."""
    entries = (entry for entry in row.record.get("series") or () if entry.get("levels"))
    return {
        str(entry["key"]): [_shown(int(n), level) for n, level in entry["levels"].items()]
        for entry in entries
    }


def _shown(vertebra: int, level: Mapping[str, Any]) -> _Shown:
    name = str(level["level"])
    is_sacral = name == level_text(SACRUM_INSTANCE)
    return _Shown(
        vertebra,
        SACRUM_INSTANCE if is_sacral else level_named(name),
        str(level["text"]),
        tuple(float(value) for value in level.get("centre_mm", ())),
    )


def _key_of(wish: Wish, entries: Mapping[str, list[_Shown]]) -> str:
    key = wish.key or (next(iter(entries)) if len(entries) == 1 else "")
    if key not in entries:
        message = "the job has no such result, or several, of which one has to be said"
        raise NamesRejectedError(message, reasons=("unknown_result",))
    if not all(shown.centre_mm for shown in entries[key]):
        message = "an older version made this result; run the job again first"
        raise NamesRejectedError(message, reasons=("places_unknown",))
    return key


def _named(wish: Wish, key: str, shown: Sequence[_Shown]) -> tuple[NamedVertebra, ...]:
    if wish.is_withdrawn:
        return ()
    levels = [one.level for one in shown]
    wanted = _moved(shown, wish.step) if wish.step else _chosen(shown, wish.names)
    rows = (places_of(levels), tuple(range(len(shown))))
    if not any(row and is_possible(row, wanted) for row in rows):
        message = "no spine has these levels one below the other"
        raise NamesRejectedError(message, reasons=("impossible_order",))
    return tuple(
        NamedVertebra(
            level=level, vertebra=shown[n].vertebra, key=key, centre_mm=shown[n].centre_mm
        )
        for n, level in wanted.items()
    )


def _moved(shown: Sequence[_Shown], step: int) -> dict[int, int]:
    """Names that stand on the page, moved; what is uncertain follows."""
    moved = shifted([one.level for one in shown], step)
    wanted = {n: level for n, level in moved.items() if shown[n].text != UNCERTAIN}
    if not wanted:
        message = "there is no name that could be moved that way; name a vertebra instead"
        raise NamesRejectedError(message, reasons=("nothing_to_shift",))
    return wanted


def _chosen(shown: Sequence[_Shown], names: Mapping[int, str]) -> dict[int, int]:
    places = {one.vertebra: n for n, one in enumerate(shown)}
    if not names or names.keys() - places.keys():
        message = "the result has no vertebra of that number"
        raise NamesRejectedError(message, reasons=("unknown_vertebra",))
    return {places[vertebra]: level_named(name) for vertebra, name in names.items()}


def _kept(
    before: Sequence[NamedVertebra], key: str, entries: Mapping[str, list[_Shown]]
) -> tuple[NamedVertebra, ...]:
    """Give what was said before about other results, unless these show bones of this one."""
    own = [one.centre_mm for one in entries[key]]
    apart = {
        other
        for other, shown in entries.items()
        if not any(
            math.dist(one.centre_mm, centre) <= SAME_PLACE_MM
            for one in shown
            if one.centre_mm
            for centre in own
        )
    }
    return tuple(one for one in before if one.key in apart)


def _told(shown: Sequence[_Shown], named: Sequence[NamedVertebra]) -> str:
    before = {one.vertebra: one.text for one in shown}
    return ", ".join(
        f"{one.vertebra}: {before[one.vertebra]} -> {level_text(one.level)}" for one in named
    )
