"""C-FIND in the study root model: how many instances a peer holds, and which.

Answers are read as raw bytes: a peer's faults in other attributes cannot disturb us, and
warnings that quote identifiers cannot arise.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)
from pynetdicom.status import STATUS_PENDING, code_to_category

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.peers.dimse import PATIENT, SUCCESS, Patience, association, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.node.peers.dimse import Peer

QUERY_LIMIT_S: Final = 60.0
"""Longest query that is waited for, s."""

_LEVEL: Final = 0x00080052
_STUDY_UID: Final = 0x0020000D
_SERIES_UID: Final = 0x0020000E
_SOP_UID: Final = 0x00080018
_SERIES_COUNT: Final = 0x00201209
"""Number of Series Related Instances."""


def count_instances(
    peer: Peer,
    our_ae_title: str,
    study_uid: str,
    series_uid: str,
    *,
    timeout_s: float = QUERY_LIMIT_S,
) -> int | None:
    """Ask how many instances a peer holds of a series.

    Parameters
    ----------
    peer : Peer
        Whom to ask.
    our_ae_title : str
        Calling AE title.
    study_uid, series_uid : str
        Which series.
    timeout_s : float
        Limit on the whole query, s.

    Returns
    -------
    int or None
        Number of Series Related Instances (0020,1209) where the peer gives it, else the number of
        its answers at the IMAGE level; None if it does not know the series.

    Raises
    ------
    PeerUnreachableError
        If the peer does not answer.
    ContextRefusedError
        If it does not offer C-FIND.
    PeerRefusedError
        If it refuses.
    """
    query = _query("SERIES", study_uid, series_uid, _SERIES_COUNT)
    matches = [
        _text(answer, _SERIES_COUNT)
        for answer in _find(peer, our_ae_title, query, timeout_s)
        if _text(answer, _SERIES_UID) == series_uid
    ]
    if not matches:
        return None
    if matches[0].isdecimal() and int(matches[0]) > 0:
        return int(matches[0])
    found = find_instances(peer, our_ae_title, study_uid, series_uid, timeout_s=timeout_s)
    return len(found) or None


def find_instances(
    peer: Peer,
    our_ae_title: str,
    study_uid: str,
    series_uid: str,
    *,
    timeout_s: float = QUERY_LIMIT_S,
) -> set[str]:
    """Ask which instances of a series a peer holds.

    Parameters
    ----------
    peer : Peer
        Whom to ask.
    our_ae_title : str
        Calling AE title.
    study_uid, series_uid : str
        Which series.
    timeout_s : float
        Limit on the whole query, s.

    Returns
    -------
    set of str
        SOP Instance UIDs; empty if it does not know the series.

    Raises
    ------
    PeerUnreachableError
        If the peer does not answer.
    ContextRefusedError
        If it does not offer C-FIND.
    PeerRefusedError
        If it refuses.
    """
    query = _query("IMAGE", study_uid, series_uid, _SOP_UID)
    answers = _find(peer, our_ae_title, query, timeout_s)
    return {uid for answer in answers if (uid := _text(answer, _SOP_UID))}


def identifier_of(level: str, study_uid: str, series_uid: str) -> Dataset:
    """Make the identifier of a query for exactly one series (PS3.4, C.4.1 and C.4.2).

    Parameters
    ----------
    level : str
        ``SERIES`` or ``IMAGE``.
    study_uid, series_uid : str
        Which series.

    Returns
    -------
    Dataset
        With the unique keys only.

    Raises
    ------
    PeerRefusedError
        If one of them is not a UID: an empty key or a wildcard would match everything.
    """
    for uid in (study_uid, series_uid):
        if not re.fullmatch(r"[0-9.]{1,64}", uid):
            raise PeerRefusedError("only valid UIDs are asked for", reasons=("uid_invalid",))
    identifier = Dataset()
    identifier.add(_element(_LEVEL, "CS", level))
    identifier.add(_element(_STUDY_UID, "UI", study_uid))
    identifier.add(_element(_SERIES_UID, "UI", series_uid))
    return identifier


def _query(level: str, study_uid: str, series_uid: str, wanted: int) -> Dataset:
    identifier = identifier_of(level, study_uid, series_uid)
    identifier.add(_element(wanted, "IS" if wanted == _SERIES_COUNT else "UI", ""))
    return identifier


def _element(tag: int, vr: str, value: str) -> DataElement:
    # Senders' UIDs may break the rules (leading zeros); they are still what they are called.
    return DataElement(tag, vr, value, validation_mode=config.IGNORE)


def _find(peer: Peer, our_ae_title: str, query: Dataset, timeout_s: float) -> Iterator[Dataset]:
    deadline = time.monotonic() + timeout_s
    model = StudyRootQueryRetrieveInformationModelFind
    patience = Patience(association_s=min(timeout_s, PATIENT.association_s), message_s=timeout_s)
    with association(peer, our_ae_title, [build_context(model)], patience) as open_one:
        status = SUCCESS
        for response, answer in open_one.send_c_find(query, model):
            status = status_of(response)
            if time.monotonic() > deadline:
                raise PeerUnreachableError("the query took too long", reasons=("query_timeout",))
            if code_to_category(status) != STATUS_PENDING:
                break
            if answer is not None:
                yield answer
        if status != SUCCESS:
            raise PeerRefusedError(
                f"the peer answered C-FIND with 0x{status:04X}", reasons=(f"status_{status:04X}",)
            )


def _text(answer: Dataset, tag: int) -> str:
    element = answer.get_item(tag) if tag in answer else None
    value: object = None if element is None else element.value
    if isinstance(value, bytes):
        return value.decode("ascii", "replace").strip("\0 ")
    return "" if value is None else str(value)
