"""The two conversations of an attempt: send what is queued, ask for what was acknowledged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.delivery import commitment
from app.node.delivery.conditions import PeerCondition, Sent
from app.node.delivery.confirmation import Standing, standing_of
from app.node.peers.destination import Reply
from app.node.peers.statuses import Answer, is_kind_refused
from app.node.peers.store import read_storable
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from app.node.delivery.ledger import Ledger
    from app.node.journal.parcels import Parcel
    from app.node.peers.destination import Destination
    from app.node.peers.store import StorableFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondent:
    """A destination, and what is sent there.

    Attributes
    ----------
    name : str
        Of the peer in the settings.
    destination : Destination
        Speaks with it.
    data : Path
        Folder that the paths of results are relative to.
    required_objects : frozenset of str
        Groups of results that it has to take; a refusal of others is told and no failure.
    """

    name: str
    destination: Destination
    data: Path
    required_objects: frozenset[str]


_NOTHING: Final = Sent(condition=PeerCondition.UNKNOWN)


def send(ledger: Ledger, to: Correspondent, queued: Sequence[Parcel]) -> Sent:
    """Send objects in one conversation and note every reply as it comes.

    What an earlier attempt may have brought there without our knowing (a crash, a broken
    connection) is asked for first, so that only what is missing is sent.

    Parameters
    ----------
    ledger : Ledger
        Where the answers are noted.
    to : Correspondent
        Who gets them.
    queued : sequence of Parcel
        Objects that are due.

    Returns
    -------
    Sent
        What was learnt about the peer.
    """
    open_ones = {one.delivery_id: one for one in ledger.begin(queued)}
    replies: list[Reply] = []
    try:
        for parcel in _already_there(to, list(open_ones.values())):
            _found(ledger, to, open_ones.pop(parcel.delivery_id))
            replies.append(Reply(answer=Answer.STORED))
        files = _files(ledger, to, open_ones)

        def note(file: StorableFile, reply: Reply) -> None:
            parcel = open_ones.pop(files[file].delivery_id)
            is_unwanted = reply.answer is Answer.UNWANTED and is_kind_refused(reply.status)
            if is_unwanted and parcel.kind not in to.required_objects:
                ledger.declined(parcel, reply.name, reply.status)
                return
            _note(ledger, parcel, reply)
            replies.append(reply)

        if files:
            to.destination.store(list(files), note)
    except (PeerUnreachableError, PeerRefusedError, OSError) as error:
        is_ours = isinstance(error, OSError)  # a file went away while it was sent
        name = "file_unreadable" if isinstance(error, OSError) else error.reasons[0]
        for parcel in open_ones.values():
            ledger.failed(parcel, name)
        ledger.tell_failed(name, max(one.attempts for one in queued) + 1)
        if is_ours:
            return _NOTHING
        has_stored = any(reply.answer is Answer.STORED for reply in replies)
        return _failed_at(open_ones.values(), to, name, has_stored=has_stored)
    ledger.tell_sent(sum(reply.answer is Answer.STORED for reply in replies))
    ledger.tell_uncompressed(sum(reply.is_uncompressed for reply in replies))
    return _learnt(ledger, to, queued, replies)


def _failed_at(
    parcels: Collection[Parcel], to: Correspondent, error: str, *, has_stored: bool = False
) -> Sent:
    """Say what a failure means: at objects that the peer need not take, nothing for the others.

    A peer that aborts at every report must not be paused, and the segmentations with it.
    """
    if any(one.kind in to.required_objects for one in parcels):
        return Sent(condition=PeerCondition.FAILS, error=error)
    condition = PeerCondition.WORKS if has_stored else PeerCondition.UNANSWERED
    return Sent(condition=condition, error=error)


def confirm(ledger: Ledger, to: Correspondent, acknowledged: Sequence[Parcel]) -> Sent:
    """Ask for objects that the peer acknowledged, by the strongest confirmation that it offers.

    Parameters
    ----------
    ledger : Ledger
        Where the answers are noted.
    to : Correspondent
        Who should hold them.
    acknowledged : sequence of Parcel
        Objects in state SENT.

    Returns
    -------
    Sent
        Never ``FAILS``: a peer whose queries fail may still take objects.
    """
    if to.destination.commits:
        asked = commitment.ask(ledger, to.destination, acknowledged)
        if asked is not None:
            return asked
    try:
        found = to.destination.holds(acknowledged)
    except (PeerUnreachableError, PeerRefusedError) as error:
        for parcel in acknowledged:
            ledger.unconfirmed(parcel, error.reasons[0])
        ledger.tell_failed(error.reasons[0], max(one.attempts for one in acknowledged))
        return Sent(condition=PeerCondition.UNANSWERED, error=error.reasons[0])
    standings = [_settle(ledger, to, parcel, found) for parcel in acknowledged]
    lacking = "not_found" if Standing.MISSING in standings else ""
    is_all = set(standings) == {Standing.MISSING}
    return Sent(condition=PeerCondition.REFUSES if is_all else PeerCondition.WORKS, error=lacking)


def _settle(
    ledger: Ledger, to: Correspondent, parcel: Parcel, found: frozenset[str] | None
) -> Standing:
    standing = standing_of(parcel, found, ledger.now(), ledger.settings)
    match standing:
        case Standing.FOUND:
            ledger.delivered(parcel, to.destination.found_by)
        case Standing.TAKEN_AT_WORD:
            ledger.delivered(parcel, to.destination.taken_by)
        case Standing.MISSING:
            ledger.failed(parcel, "not_found")
        case Standing.NOT_YET:
            ledger.unconfirmed(parcel, "")
    return standing


def _already_there(to: Correspondent, parcels: Sequence[Parcel]) -> list[Parcel]:
    repeated = [
        one
        for one in parcels
        if one.attempts > 1 and not one.last_error.startswith(commitment.UNCOMMITTED)
    ]
    if not repeated:
        return []
    try:
        found = to.destination.holds(repeated)
    except PeerRefusedError as error:
        if error.reasons[0].startswith("rejected_"):
            raise
        return []  # it does not answer the question, but may take the objects
    return [one for one in repeated if one.sop_instance_uid in (found or ())]


def _found(ledger: Ledger, to: Correspondent, parcel: Parcel) -> None:
    """Note that an object is there already; where more can be asked for, that is asked for."""
    if to.destination.commits:
        ledger.sent(parcel, 0)
    else:
        ledger.delivered(parcel, to.destination.found_by)


def _files(
    ledger: Ledger, to: Correspondent, parcels: dict[str, Parcel]
) -> dict[StorableFile, Parcel]:
    """Files of the parcels; one that is not what the job wrote is given up."""
    files: dict[StorableFile, Parcel] = {}
    for parcel in list(parcels.values()):
        path = to.data / parcel.path
        try:
            with path.open("rb") as content:
                is_whole = hashlib.file_digest(content, "sha256").hexdigest() == parcel.digest
            file = read_storable(path)
        except (OSError, UnreadableInputError):
            is_whole, file = False, None
        if is_whole and file is not None:
            files[file] = parcel
        else:
            ledger.dead(parcels.pop(parcel.delivery_id), "file_missing_or_damaged")
    return files


def _note(ledger: Ledger, parcel: Parcel, reply: Reply) -> None:
    match reply.answer:
        case Answer.STORED:
            ledger.sent(parcel, reply.status or 0, is_uncompressed=reply.is_uncompressed)
        case Answer.UNWANTED:
            ledger.parked(parcel, reply.name, reply.status)
        case Answer.REFUSED:
            ledger.dead(parcel, reply.name, reply.status)
        case Answer.BUSY | Answer.RETRY:
            ledger.failed(parcel, reply.name, reply.status, at_least_s=reply.retry_after_s or 0.0)


def _learnt(
    ledger: Ledger, to: Correspondent, queued: Sequence[Parcel], replies: Sequence[Reply]
) -> Sent:
    refused = next((one.name for one in reversed(replies) if one.name), "")
    answers = {one.answer for one in replies}
    if Answer.STORED in answers:
        return Sent(condition=PeerCondition.WORKS, error=refused)
    if not answers:
        return _NOTHING
    ledger.tell_failed(refused, max(one.attempts for one in queued) + 1)
    if answers & {Answer.BUSY, Answer.RETRY}:
        return _failed_at(queued, to, refused)
    return Sent(condition=PeerCondition.REFUSES, error=refused)
