"""Whom a study is about, in words: the only place where the page writes a patient's name."""

from typing import Final

from app.node.journal.patients import PatientAttributes

_DATE_DIGITS: Final = 8
_FAMILY, _GIVEN, _MIDDLE, _PREFIX, _SUFFIX = range(5)


def person_words(name: str) -> str:
    """Write a DICOM person name as people do (PS3.5, 6.2.1).

    Examples
    --------
    >>> person_words("DOE^JANE^^DR"), person_words("Yamada^Tarou=山田^太郎")
    ('DOE, JANE (DR)', 'Yamada, Tarou = 山田 太郎')
    """
    first, *others = name.split("=")
    groups = [_alphabetic(first), *(" ".join(group.split("^")).strip() for group in others)]
    return " = ".join(group for group in groups if group)


def _alphabetic(group: str) -> str:
    parts = [part.strip() for part in group.split("^")] + [""] * 5
    given = " ".join(filter(None, (parts[_GIVEN], parts[_MIDDLE])))
    titles = " ".join(filter(None, (parts[_PREFIX], parts[_SUFFIX])))
    words = ", ".join(filter(None, (parts[_FAMILY], given)))
    return f"{words} ({titles})" if titles and words else words or titles


def date_words(digits: str) -> str:
    """Date of an object as the page writes it.

    Examples
    --------
    >>> date_words("19700131"), date_words("")
    ('1970-01-31', '')
    """
    is_date = len(digits) == _DATE_DIGITS
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if is_date else digits


def patient_words(patient: PatientAttributes | None) -> str:
    """Name of a patient, else the ID; empty where neither is known."""
    if patient is None:
        return ""
    return person_words(patient.patient_name) or patient.patient_id
