"""What a person may do with a destination: try everything now, and ask whether it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.journal.audit import deed_of, record_deed
from app.node.journal.delivery_decisions import hurry
from app.node.journal.destinations import note_echo
from app.node.journal.engine import transaction
from app.node.telemetry import events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.node.journal.audit import Actor
    from app.node.web.site import Site
    from app.settings.peers import PeerSettings

ANSWERED: Final = "answered"
SILENT: Final = "silent"
DONE: Final = "done"
IDLE: Final = "idle"
_ECHO_WITHIN_S: Final = 10.0
"""A person waits for the answer, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What became of an action on a destination.

    Attributes
    ----------
    outcome : str
        Key of `app.node.web.wording.DONE`.
    error : str
        Name of what went wrong, empty: nothing.
    """

    outcome: str
    error: str = ""


def act(site: Site, name: str, action: str, actor: Actor) -> Knock | None:
    """Do it, and write down who did it.

    Parameters
    ----------
    site : Site
        The node.
    name : str
        Of the peer in the settings.
    action : str
        Key of `ACTIONS`.
    actor : Actor
        For the audit trail.

    Returns
    -------
    Knock or None
        None where there is no such action or peer.
    """
    peer, work = site.node.peer(name), ACTIONS.get(action)
    if peer is None or work is None:
        return None
    knock = work(site, peer)
    deed = deed_of(
        actor,
        at=site.clock(),
        action=f"destination.{action}",
        subject=name,
        detail=knock.error or knock.outcome,
    )
    with transaction(site.engine) as connection:
        record_deed(connection, deed)
    site.emit(events.ACTION_TAKEN, action=deed.action, subject=name)
    return knock


def _try_now(site: Site, peer: PeerSettings) -> Knock:
    with transaction(site.engine) as connection:
        has_waited = hurry(connection, peer.name, site.clock())
    return Knock(outcome=DONE if has_waited else IDLE)


def _echo(site: Site, peer: PeerSettings) -> Knock:
    # Here, not above: the page starts without the network library.
    from app.node.peers.checking import accepted_syntaxes  # noqa: PLC0415
    from app.node.peers.dimse import Patience  # noqa: PLC0415
    from app.node.peers.kinds import destination_of  # noqa: PLC0415
    from app.node.telemetry.logs import quiet_foreign_logs  # noqa: PLC0415

    quiet_foreign_logs()
    error, taken = "", None
    ours, patience = site.node.listener.ae_title, Patience(message_s=_ECHO_WITHIN_S)
    destination = destination_of(peer, ours, patience)
    try:
        destination.echo()
        answers = accepted_syntaxes(destination)
        if answers is not None:
            taken = [group for group, syntaxes in answers.items() if syntaxes]
    except (PeerUnreachableError, PeerRefusedError) as failure:
        error = failure.reasons[0]
    with transaction(site.engine) as connection:
        note_echo(connection, peer.name, site.clock(), error, taken=taken)
    return Knock(outcome=SILENT if error else ANSWERED, error=error)


ACTIONS: Final[Mapping[str, Callable[[Site, PeerSettings], Knock]]] = {
    "try": _try_now,
    "echo": _echo,
}
"""Name in the address -> what it does."""
