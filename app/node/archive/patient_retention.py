"""Attributes of patients go after their time, or at once where a site keeps none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from app.node.journal.engine import transaction
from app.node.journal.patients import forget_patients
from app.node.telemetry import events

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from app.node.telemetry.logs import Emit
    from app.settings.patients import PatientSettings

PATIENTS: Final = 1000
"""Rows per transaction; they have no files."""

_DAY_S: Final = 86_400.0


def apply_patient_retention(
    engine: Engine, settings: PatientSettings, *, now: float, emit: Emit
) -> int:
    """Delete one batch of the attributes that the policy lets go.

    Parameters
    ----------
    engine : Engine
        Journal.
    settings : PatientSettings
        Whether they are kept, and for how long.
    now : float
        Epoch seconds.
    emit : Emit
        Event log; told the number only.

    Returns
    -------
    int
        Studies whose patient nobody knows any more; call again while it is `PATIENTS`.
    """
    before = now - settings.days * _DAY_S if settings.keep else math.inf
    with transaction(engine) as connection:
        count = forget_patients(connection, before, PATIENTS)
    if count:
        emit(events.RETENTION_DELETED, kind="patient", count=count)
    return count
