"""Whom a received object is about: raw values of its header, decoded once per study."""

from __future__ import annotations

import threading
import unicodedata
import warnings
from typing import TYPE_CHECKING, Final, NamedTuple

from pydicom.charset import convert_encodings, decode_bytes

from app.node.journal.patients import PatientAttributes
from operators.dicom.reading.frames import PARSE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping

FILTERS: Final = threading.Lock()
"""Python's warning filters belong to the whole process: one reader at a time sets them."""

PATIENT_TAGS: Final = {
    "study_date": 0x00080020,
    "accession_number": 0x00080050,
    "study_description": 0x00081030,
    "patient_name": 0x00100010,
    "patient_id": 0x00100020,
    "birth_date": 0x00100030,
}
"""Name in `PatientAttributes` -> tag."""

_LONGEST_NAME: Final = 256
_LONGEST_TEXT: Final = 64
_DATE_DIGITS: Final = 8
_NAME_DELIMITERS: Final = {0x5E, 0x3D}
"""``^`` and ``=`` end an escape sequence within a person name (PS3.5, 6.1.2.5.3)."""
_TEXT_DELIMITERS: Final = {0x0D, 0x0A, 0x09, 0x0C}


class RawPatient(NamedTuple):
    """Values as they were received; compared with those of the object before, rarely decoded."""

    character_set: bytes = b""
    patient_name: bytes = b""
    patient_id: bytes = b""
    birth_date: bytes = b""
    accession_number: bytes = b""
    study_date: bytes = b""
    study_description: bytes = b""

    @classmethod
    def of(cls, raw: Mapping[str, bytes]) -> RawPatient:
        """Take them out of the values of a header; what is absent is empty."""
        return cls(**{name: raw.get(name, b"") for name in cls._fields})

    def decoded(self) -> PatientAttributes:
        """Read them in the object's character set; what cannot be decoded is replaced.

        References
        ----------
        PS3.5, 6.1.2.5 (code extension) and 6.2 (PN, LO, SH, DA)
        """
        with FILTERS, warnings.catch_warnings():
            # pydicom would warn about odd values by quoting them.
            warnings.simplefilter("ignore")
            encodings = _encodings(self.character_set)
            texts = {name: _text(name, getattr(self, name), encodings) for name in PATIENT_TAGS}
        for name in ("birth_date", "study_date"):
            texts[name] = _date(texts[name])
        return PatientAttributes(**texts)


def _encodings(character_set: bytes) -> list[str]:
    words = character_set.decode("latin-1").split("\\")
    try:
        return convert_encodings([word.strip(" \0") for word in words])
    except PARSE_ERRORS:
        return ["latin-1"]


def _text(name: str, value: bytes, encodings: list[str]) -> str:
    is_name = name == "patient_name"
    try:
        decoded = decode_bytes(value, encodings, _NAME_DELIMITERS if is_name else _TEXT_DELIMITERS)
    except PARSE_ERRORS:
        decoded = value.decode("latin-1")
    whole = unicodedata.normalize("NFC", decoded)
    text = "".join(letter for letter in whole if letter.isprintable()).strip()
    return text.rstrip("^= ")[:_LONGEST_NAME] if is_name else text[:_LONGEST_TEXT]


def _date(text: str) -> str:
    """Digits of a date; ACR-NEMA wrote dots between them. Anything else is no date."""
    digits = text.replace(".", "")
    is_date = len(digits) == _DATE_DIGITS and digits.isascii() and digits.isdigit()
    return digits if is_date else ""
