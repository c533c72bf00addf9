"""C-MOVE to ourselves: asks a peer to send a series (again), for the repair of an incomplete one.

The objects arrive at our listener like any others; the peer must know our AE title and address.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelMove,
)
from pynetdicom.status import STATUS_PENDING, code_to_category

from app.errors import PeerRefusedError, PeerUnreachableError
from app.node.peers.dimse import PATIENT, association, status_of
from app.node.peers.query import identifier_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from app.node.peers.dimse import Patience, Peer

MOVE_LIMIT_S: Final = 600.0
"""Longest transfer that is waited for, s."""

_ANSWERED: Final = frozenset({0x0000, 0xB000})
"""Sub-operations complete; complete with one or more failures (PS3.4, table C.4-2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOutcome:
    """What the peer says it sent: objects completed (warnings included) and failed."""

    completed: int
    failed: int


def move_series(
    peer: Peer,
    our_ae_title: str,
    study_uid: str,
    series_uid: str,
    *,
    timeout_s: float = MOVE_LIMIT_S,
    patience: Patience = PATIENT,
) -> MoveOutcome:
    """Ask a peer to send a series to us.

    Parameters
    ----------
    peer : Peer
        Whom to ask.
    our_ae_title : str
        Calling AE title and move destination.
    study_uid, series_uid : str
        Which series.
    timeout_s : float
        Limit on the whole transfer, s.
    patience : Patience
        Limits on every single wait.

    Returns
    -------
    MoveOutcome
        What it sent; a peer that does not know the series answers zero objects, or refuses.

    Raises
    ------
    PeerUnreachableError
        If the peer does not answer, or not in time.
    ContextRefusedError
        If it does not offer C-MOVE.
    PeerRefusedError
        If it refuses, for example because it does not know us (0xA801).
    """
    identifier = identifier_of("SERIES", study_uid, series_uid)
    deadline = time.monotonic() + timeout_s
    model = StudyRootQueryRetrieveInformationModelMove
    with association(peer, our_ae_title, [build_context(model)], patience) as open_one:
        for response, _ in open_one.send_c_move(identifier, our_ae_title, model):
            status = status_of(response)
            if code_to_category(status) != STATUS_PENDING:
                return _outcome(response, status)
            if time.monotonic() > deadline:
                raise PeerUnreachableError("the transfer took too long", reasons=("timeout",))
    raise PeerUnreachableError("the peer broke off", reasons=("broke_off",))


def _outcome(response: Dataset, status: int) -> MoveOutcome:
    if status not in _ANSWERED:
        raise PeerRefusedError(
            f"the peer answered C-MOVE with 0x{status:04X}", reasons=(f"status_{status:04X}",)
        )
    done = _count(response, "NumberOfCompletedSuboperations")
    warned = _count(response, "NumberOfWarningSuboperations")
    return MoveOutcome(
        completed=done + warned, failed=_count(response, "NumberOfFailedSuboperations")
    )


def _count(response: Dataset, keyword: str) -> int:
    return int(response.get(keyword) or 0)
