"""Whom an object is about, in the character sets of PS3.5."""

from __future__ import annotations

import random

import pytest
from pynetdicom.dsutils import encode

from app.node.archive.header import read_header
from app.node.archive.patient_header import RawPatient
from tests.builders.plain_headers import header

JAPANESE = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
"""PS3.5, H.3.1."""


def test_the_header_of_an_object_names_its_patient():
    data_set = header(
        PatientName="DOE^JANE^^^",
        PatientID=" 0815 ",
        PatientBirthDate="19700131",
        AccessionNumber="A1",
        StudyDate="20231113",
        StudyDescription="MR LWS",
    )
    head = encode(data_set, is_implicit_vr=False, is_little_endian=True)
    assert head is not None
    patient = read_header(head, "1.2.840.10008.1.2.1").patient.decoded()
    assert patient.patient_name == "DOE^JANE"
    assert patient.patient_id == "0815"
    assert (patient.birth_date, patient.study_date) == ("19700131", "20231113")
    assert (patient.accession_number, patient.study_description) == ("A1", "MR LWS")


@pytest.mark.parametrize(
    ("character_set", "name", "expected"),
    [
        (b"", b"DOE^JANE", "DOE^JANE"),
        (b"ISO_IR 100", b"M\xdcLLER^J\xf6rg", "MÜLLER^Jörg"),
        (b"ISO_IR 192", "Wang^XiaoDong=王^小东".encode(), "Wang^XiaoDong=王^小东"),
        (b"\\ISO 2022 IR 87", JAPANESE, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (b"NO SUCH SET", b"DOE^JANE", "DOE^JANE"),
        (b"ISO_IR\x00 100", b"DOE^JANE", "DOE^JANE"),
        (b"hex", b"DOE^JANE", "DOE^JANE"),
        (b"ISO_IR 192", b"\xff\xfe^X", "\ufffd\ufffd^X"),
        (b"ISO_IR 100", b"DOE\x07^JANE\x00", "DOE^JANE"),
    ],
)
def test_names_are_read_in_their_character_set(
    character_set: bytes, name: bytes, expected: str, recwarn: pytest.WarningsRecorder
):
    raw = RawPatient(character_set=character_set, patient_name=name)
    assert raw.decoded().patient_name == expected
    assert not list(recwarn)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"1970.01.31", "19700131"), (b"197001", ""), (b"1970013X", ""), (b"", "")],
)
def test_what_is_no_date_is_none(value: bytes, expected: str):
    assert RawPatient(birth_date=value).decoded().birth_date == expected


def test_2000_odd_names_in_odd_character_sets_raise_nothing_and_leave_no_control_characters():
    draw = random.Random(7)  # noqa: S311 - not for secrets
    parts = [b"\x1b$B", b"\x1b(B", b"\x1b-A", b"\x1b$)C", b"\x1b", b"^", b"=", b"\x00", b"\xff"]
    sets = [b"", b"ISO_IR 192", b"GB18030", b"\\ISO 2022 IR 87", b"\\ISO 2022 IR 149", b"idna"]
    for _ in range(2000):
        name = b"".join(draw.choice([*parts, draw.randbytes(4)]) for _ in range(draw.randrange(8)))
        character_set = draw.choice([*sets, draw.randbytes(draw.randrange(12))])
        raw = RawPatient(character_set=character_set, patient_name=name, patient_id=name)
        patient = raw.decoded()
        assert patient.patient_name.isprintable()
        assert len(patient.patient_id) <= 64
