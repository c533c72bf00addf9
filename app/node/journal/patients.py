"""Studies, and whom they are about: what people find a study by.

The attributes of patients stand in a table of their own, written when a study is received. A site
may switch it off; its rows go after a while. Nothing else in the journal depends on it, and nothing
of it is logged, counted or sent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from app.node.journal.person_names import name_key
from app.node.journal.tables import PATIENT, SERIES, STUDY

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.engine import Connection


_LONGEST_KEY: Final = 512
"""Width of the column; a few letters become many where case and ligatures are folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientAttributes:
    """Whom a study is about; empty where the object does not say.

    Attributes
    ----------
    patient_name : str
        (0010,0010), component groups as received: ``DOE^JANE``.
    patient_id : str
        (0010,0020).
    birth_date, study_date : str
        (0010,0030) and (0008,0020): YYYYMMDD.
    accession_number : str
        (0008,0050).
    study_description : str
        (0008,1030).
    """

    patient_name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    accession_number: str = ""
    study_date: str = ""
    study_description: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells one patient from another; spelling of the name in upper case is no change."""
        return (name_key(self.patient_name), self.patient_id, self.birth_date)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyArrival:
    """An object that shows that a study is being received.

    Attributes
    ----------
    study_uid, calling_ae_title : str
        What, from whom.
    at : float
        Epoch seconds.
    is_image : bool
        Only images can say that the study is another patient's.
    patient : PatientAttributes or None
        None: not kept, or said before on this association.
    """

    study_uid: str
    calling_ae_title: str
    at: float
    is_image: bool
    patient: PatientAttributes | None


def note_study(c: Connection, arrival: StudyArrival) -> None:
    """Write down that a study is being received, and whom it is about.

    Parameters
    ----------
    c : Connection
        The transaction of the object's arrival.
    arrival : StudyArrival
        The first object of a series on its association, or one with other attributes than the one
        before it.
    """
    this = STUDY.c.study_uid == arrival.study_uid
    values = {"arrived_at": arrival.at, "calling_ae_title": arrival.calling_ae_title}
    if not c.execute(sa.update(STUDY).where(this).values(values)).rowcount:
        c.execute(sa.insert(STUDY).values(study_uid=arrival.study_uid, **values))
    if arrival.patient is None:
        return
    known = patient_of(c, arrival.study_uid)
    if known == arrival.patient:
        return
    keep_patient(c, arrival.study_uid, arrival.patient)
    is_another = known is not None and known.identity != arrival.patient.identity
    if is_another and arrival.is_image:
        c.execute(sa.update(STUDY).where(this).values(patient_changed_at=arrival.at))


def keep_patient(c: Connection, study_uid: str, patient: PatientAttributes) -> None:
    """Write down whom a study is about, in place of what was known."""
    c.execute(sa.delete(PATIENT).where(PATIENT.c.study_uid == study_uid))
    values = asdict(patient) | {"name_key": name_key(patient.patient_name)[:_LONGEST_KEY]}
    c.execute(sa.insert(PATIENT).values(study_uid=study_uid, **values))


def patient_of(c: Connection, study_uid: str) -> PatientAttributes | None:
    """Whom a study is about; None where nobody knows (any more)."""
    return patients_of(c, [study_uid]).get(study_uid)


def patients_of(c: Connection, study_uids: Collection[str]) -> dict[str, PatientAttributes]:
    """Whom studies are about, by Study Instance UID; unknown ones are left out."""
    query = sa.select(PATIENT).where(PATIENT.c.study_uid.in_(study_uids))
    names = [field.name for field in fields(PatientAttributes)]
    return {
        row["study_uid"]: PatientAttributes(**{name: row[name] for name in names})
        for row in c.execute(query).mappings()
    }


def forget_patients(c: Connection, before: float, limit: int) -> int:
    """Delete the attributes of studies that were last received before a time.

    Parameters
    ----------
    c : Connection
        A transaction.
    before : float
        Epoch seconds; infinite: all.
    limit : int
        At most this many.

    Returns
    -------
    int
        How many.
    """
    kept = sa.exists().where(STUDY.c.study_uid == PATIENT.c.study_uid, STUDY.c.arrived_at >= before)
    old = sa.select(PATIENT.c.study_uid).where(~kept).limit(limit)
    return c.execute(sa.delete(PATIENT).where(PATIENT.c.study_uid.in_(old))).rowcount


def studies_without_patient(c: Connection) -> list[str]:
    """Studies about whose patient nothing is known; one without a row of its own gets one."""
    known = sa.exists().where(STUDY.c.study_uid == SERIES.c.study_uid)
    rows = sa.select(
        SERIES.c.study_uid,
        sa.func.max(SERIES.c.last_activity_at),
        sa.func.max(SERIES.c.calling_ae_title),
    )
    missing = rows.where(~known).group_by(SERIES.c.study_uid)
    columns = ["study_uid", "arrived_at", "calling_ae_title"]
    c.execute(sa.insert(STUDY).from_select(columns, missing))
    has_patient = sa.exists().where(PATIENT.c.study_uid == STUDY.c.study_uid)
    query = sa.select(STUDY.c.study_uid).where(~has_patient).order_by(STUDY.c.study_uid)
    return list(c.execute(query).scalars())
