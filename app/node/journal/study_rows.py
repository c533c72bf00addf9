"""Studies as people look for them: what is asked, and what is shown. Plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.node.journal.patients import PatientAttributes  # noqa: TC001 - read by the API's schema


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """One study.

    Attributes
    ----------
    arrived_at : float
        When the last association that sent it began with it, epoch seconds.
    calling_ae_title : str
        Who sent it last.
    patient_changed_at : float or None
        When it came with another patient's attributes than before, epoch seconds.
    patient : PatientAttributes or None
        None: not kept, or deleted after its time.
    series, jobs, deliveries : dict
        State -> number; of each series only its latest job counts.
    """

    study_uid: str
    arrived_at: float
    calling_ae_title: str
    patient_changed_at: float | None
    patient: PatientAttributes | None
    series: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day as objects write it (YYYYMMDD), and as the node's clock counts it.

    Attributes
    ----------
    digits : str
        YYYYMMDD.
    begin, end : float
        Of the day in the node's time zone, epoch seconds.
    """

    digits: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody looks for; what is empty does not matter.

    Attributes
    ----------
    name : str
        Beginning of a component group of the patient's name, with ``*`` and ``?``.
    patient_id, accession_number : str
        As they are written, with ``*`` and ``?``.
    first, last : Day or None
        Of the study; where its date is not known, of its arrival.
    sender : str
        Calling AE title.
    state : str
        Key of `STATES`.
    """

    name: str = ""
    patient_id: str = ""
    accession_number: str = ""
    first: Day | None = None
    last: Day | None = None
    sender: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page begins.

    Attributes
    ----------
    arrived_at, study_uid : float, str
        Of the study beside it.
    is_newer : bool
        The page before that study, not the one behind it.
    """

    arrived_at: float
    study_uid: str
    is_newer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPage:
    """Some studies, the last received first.

    Attributes
    ----------
    newer, older : Place or None
        Where the pages beside this one begin.
    """

    rows: list[StudyRow]
    newer: Place | None
    older: Place | None
