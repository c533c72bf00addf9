"""The two conversations of an attempt: send what is queued, ask for what was acknowledged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.delivery.confirmation import Standing, look_for, standing_of
from app.node.delivery.statuses import Answer, answer_of, is_kind_refused, name_of
from app.node.peers.store import read_storable, store_files
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from app.node.delivery.ledger import Ledger
    from app.node.journal.parcels import Parcel
    from app.node.peers.dimse import Patience
    from app.node.peers.store import StorableFile
    from app.settings import PeerSettings


class PeerCondition(Enum):
    """What a conversation says about the peer, whatever it said about the objects."""

    WORKS = auto()
    UNKNOWN = auto()
    """Nothing was asked of it."""
    REFUSES = auto()
    """It answered, but took none of these objects; others may pass."""
    UNANSWERED = auto()
    """Its queries fail, or it fails at objects that it need not take; it may still take others."""
    FAILS = auto()
    """No connection, no answer, out of order: nothing passes now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How a conversation ended; `error` names what failed, also where other things worked."""

    condition: PeerCondition
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondent:
    """A destination, and who we are to it.

    Attributes
    ----------
    peer : PeerSettings
        Where it listens and what it offers.
    our_ae_title : str
        Calling AE title.
    data : Path
        Folder that the paths of results are relative to.
    patience : Patience
        Limits on every wait.
    """

    peer: PeerSettings
    our_ae_title: str
    data: Path
    patience: Patience


_NOTHING: Final = Sent(condition=PeerCondition.UNKNOWN)


def send(ledger: Ledger, to: Correspondent, queued: Sequence[Parcel]) -> Sent:
    """Send objects in one association and note every answer as it comes.

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
    answers: list[_Said] = []
    uncompressed: set[StorableFile] = set()
    try:
        for parcel in _already_there(to, list(open_ones.values())):
            ledger.delivered(open_ones.pop(parcel.delivery_id), "c_find")
            answers.append(_Said(Answer.STORED))
        files = _files(ledger, to, open_ones)

        def note(file: StorableFile, status: int | None) -> None:
            parcel = open_ones.pop(files[file].delivery_id)
            if is_kind_refused(status) and parcel.kind not in to.peer.required_objects:
                ledger.declined(parcel, name_of(status), status)
                return
            is_plain = file in uncompressed
            answers.append(_note(ledger, parcel, status, is_uncompressed=is_plain))

        if files:
            store_files(
                to.peer,
                to.our_ae_title,
                list(files),
                on_answer=note,
                on_uncompressed=uncompressed.add,
                patience=to.patience,
            )
    except (PeerUnreachableError, PeerRefusedError, OSError) as error:
        is_ours = isinstance(error, OSError)  # a file went away while it was sent
        name = "file_unreadable" if isinstance(error, OSError) else error.reasons[0]
        for parcel in open_ones.values():
            ledger.failed(parcel, name)
        ledger.tell_failed(name, max(one.attempts for one in queued) + 1)
        if is_ours:
            return _NOTHING
        has_stored = any(said.answer is Answer.STORED for said in answers)
        return _failed_at(open_ones.values(), to, name, has_stored=has_stored)
    ledger.tell_sent(sum(said.answer is Answer.STORED for said in answers))
    ledger.tell_uncompressed(len(uncompressed))
    return _learnt(ledger, to, queued, answers)


def _failed_at(
    parcels: Collection[Parcel], to: Correspondent, error: str, *, has_stored: bool = False
) -> Sent:
    """Say what a failure means: at objects that the peer need not take, nothing for the others.

    A peer that aborts at every report must not be paused, and the segmentations with it.
    """
    if any(one.kind in to.peer.required_objects for one in parcels):
        return Sent(condition=PeerCondition.FAILS, error=error)
    condition = PeerCondition.WORKS if has_stored else PeerCondition.UNANSWERED
    return Sent(condition=condition, error=error)


def confirm(ledger: Ledger, to: Correspondent, acknowledged: Sequence[Parcel]) -> Sent:
    """Ask for objects that the peer acknowledged.

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
    try:
        found = look_for(to.peer, to.our_ae_title, acknowledged, to.patience)
    except (PeerUnreachableError, PeerRefusedError) as error:
        for parcel in acknowledged:
            ledger.unconfirmed(parcel, error.reasons[0])
        ledger.tell_failed(error.reasons[0], max(one.attempts for one in acknowledged))
        return Sent(condition=PeerCondition.UNANSWERED, error=error.reasons[0])
    standings = [_settle(ledger, parcel, found) for parcel in acknowledged]
    lacking = "not_found" if Standing.MISSING in standings else ""
    is_all = set(standings) == {Standing.MISSING}
    return Sent(condition=PeerCondition.REFUSES if is_all else PeerCondition.WORKS, error=lacking)


def _settle(ledger: Ledger, parcel: Parcel, found: frozenset[str] | None) -> Standing:
    standing = standing_of(parcel, found, ledger.now(), ledger.settings)
    match standing:
        case Standing.FOUND:
            ledger.delivered(parcel, "c_find")
        case Standing.TAKEN_AT_WORD:
            ledger.delivered(parcel, "c_store")
        case Standing.MISSING:
            ledger.failed(parcel, "not_found")
        case Standing.NOT_YET:
            ledger.unconfirmed(parcel, "")
    return standing


def _already_there(to: Correspondent, parcels: Sequence[Parcel]) -> list[Parcel]:
    repeated = [one for one in parcels if one.attempts > 1]
    if not repeated:
        return []
    try:
        found = look_for(to.peer, to.our_ae_title, repeated, to.patience)
    except PeerRefusedError as error:
        if error.reasons[0].startswith("rejected_"):
            raise
        return []  # it does not answer the question, but may take the objects
    return [one for one in repeated if one.sop_instance_uid in (found or ())]


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


@dataclass(frozen=True, slots=True)
class _Said:
    """What a peer said of one object, and its name where that is no success."""

    answer: Answer
    name: str = ""


def _note(ledger: Ledger, parcel: Parcel, status: int | None, *, is_uncompressed: bool) -> _Said:
    answer = answer_of(status)
    match answer:
        case Answer.STORED:
            ledger.sent(parcel, status or 0, is_uncompressed=is_uncompressed)
        case Answer.UNWANTED:
            ledger.parked(parcel, name_of(status), status)
        case Answer.REFUSED:
            ledger.dead(parcel, name_of(status), status)
        case Answer.BUSY | Answer.RETRY:
            ledger.failed(parcel, name_of(status), status)
    return _Said(answer, "" if answer is Answer.STORED else name_of(status))


def _learnt(
    ledger: Ledger, to: Correspondent, queued: Sequence[Parcel], said: Sequence[_Said]
) -> Sent:
    refused = next((one.name for one in reversed(said) if one.name), "")
    answers = {one.answer for one in said}
    if Answer.STORED in answers:
        return Sent(condition=PeerCondition.WORKS, error=refused)
    if not answers:
        return _NOTHING
    ledger.tell_failed(refused, max(one.attempts for one in queued) + 1)
    if answers & {Answer.BUSY, Answer.RETRY}:
        return _failed_at(queued, to, refused)
    return Sent(condition=PeerCondition.REFUSES, error=refused)
