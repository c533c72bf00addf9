"""The intended use of the site in the audit trail: who answers for it, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.node.journal.audit import Deed, list_deeds, record_deed
from app.node.journal.engine import transaction
from app.node.telemetry import events

if TYPE_CHECKING:
    from app.node.web.site import Site

SUBJECT: Final = "intended_use"
NOT_SET: Final = "not set: research use only"


def note_intended_use(site: Site) -> bool:
    """Write down the intended use where it is another one than last time.

    Parameters
    ----------
    site : Site
        The node, with the settings it has just begun to work by.

    Returns
    -------
    bool
        Whether it changed. A site that has never set one has nothing to write down.

    Raises
    ------
    JournalError
        If the journal does not answer.
    """
    now = NOT_SET if site.intended_use is None else site.intended_use.text
    with transaction(site.engine) as connection:
        last = list_deeds(connection, limit=1, subject=SUBJECT)
        if now == (last[0].detail if last else NOT_SET):
            return False
        deed = Deed(
            at=site.clock(),
            actor="settings",
            action="settings.intended_use",
            subject=SUBJECT,
            detail=now,
        )
        record_deed(connection, deed)
    site.emit(events.INTENDED_USE_CHANGED, is_set=site.intended_use is not None)
    return True
