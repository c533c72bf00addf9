"""What a value may mean decides: one meaning is read, several or none is unreadable, not absent."""

from __future__ import annotations

import struct

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from operators.dicom.headers.header_values import numbers, unreadable
from operators.dicom.headers.normal_header import normal_header
from tests.builders.sloppy_elements import write

_CLEAR = [
    ("EchoTime", "DS", b"160,0", (160.0,)),
    ("EchoTime", "DS", b" 98.5 \0", (98.5,)),
    ("EchoTime", "DS", b"1,25E+02", (125.0,)),
    ("EchoTime", "DS", b"100\\100", (100.0,)),
    ("EchoTime", "FD", struct.pack("<d", 98.5), (98.5,)),
    ("EchoTime", "FD", b"98.50000", (98.5,)),
    ("EchoTime", "UN", b"98.5", (98.5,)),
    ("RescaleSlope", "DS", b"1,25", (1.25,)),
    ("RescaleSlope", "DS", b"0,125", (0.125,)),
    ("RescaleSlope", "DS", b"1.2500000000000000001", (1.25,)),
    ("RescaleSlope", "LO", b"1.25", (1.25,)),
    ("PixelSpacing", "UT", b"0.9\\0.6", (0.9, 0.6)),
    ("PixelSpacing", "DS", b"0.9\\0.6\\", (0.9, 0.6)),
    ("PixelSpacing", "DS", b"0,9\\0,6", (0.9, 0.6)),
    ("PixelSpacing", "FL", struct.pack("<2f", 0.5, 0.25), (0.5, 0.25)),
    ("EchoTrainLength", "IS", b"5.0", (5.0,)),
    ("EchoTrainLength", "DS", b"17", (17.0,)),
    ("Rows", "UL", struct.pack("<I", 384), (384.0,)),
    ("Rows", "IS", b"384", (384.0,)),
    ("Rows", "OW", struct.pack("<H", 384), (384.0,)),
    ("PixelPaddingValue", "OW", struct.pack("<H", 63536), (63536.0,)),
    ("PixelPaddingValue", "IS", b"-2000", (-2000.0,)),
]


@pytest.mark.parametrize(("keyword", "vr", "value", "meant"), _CLEAR)
def test_a_value_that_can_mean_one_thing_only_is_read(
    keyword: str, vr: str, value: bytes, meant: tuple[float, ...]
):
    dataset = Dataset()
    dataset.PixelRepresentation = 0
    write(dataset, keyword, vr, value)

    header, names = normal_header(dataset)

    assert numbers(header, keyword) == meant
    assert names == ()
    assert unreadable(header) == frozenset()


_UNCLEAR = [
    ("EchoTime", "DS", b"100 ms"),
    ("EchoTime", "DS", b"12\\100"),
    ("EchoTime", "DS", b"1,100"),
    ("EchoTime", "DS", b"1_0"),
    ("EchoTime", "DS", b"nan"),
    ("EchoTime", "DS", b"1e999"),
    ("EchoTime", "DS", b"1.2.3"),
    ("EchoTime", "DS", "\u0661\u0660\u0660".encode()),
    ("EchoTime", "US", b"98"),
    ("RepetitionTime", "DS", b"3,500"),
    ("RescaleSlope", "DS", b"1,25,0"),
    ("PixelSpacing", "DS", b"0.9"),
    ("PixelSpacing", "DS", b"0.9,0.6"),
    ("PixelSpacing", "DS", b"0.9\\\\0.6"),
    ("ImagePositionPatient", "DS", b"1\\\\3\\4"),
    ("ImagePositionPatient", "DS", b"1\\2"),
    ("EchoTrainLength", "IS", b"5.5"),
    ("Rows", "US", b"\1\0\2\0"),
    ("Rows", "UT", b"many"),
    ("InversionTime", "FD", struct.pack("<d", float("inf"))),
]


@pytest.mark.parametrize(("keyword", "vr", "value"), _UNCLEAR)
def test_a_value_that_can_mean_several_things_or_none_is_unreadable_and_not_absent(
    keyword: str, vr: str, value: bytes
):
    dataset = Dataset()
    write(dataset, keyword, vr, value)

    header, names = normal_header(dataset)

    assert keyword not in header
    assert names == (keyword,)
    assert unreadable(header) == {keyword}


@pytest.mark.parametrize("value", [b"", b"  ", b"\0\0"])
def test_an_empty_value_is_absent(value: bytes):
    dataset = Dataset()
    write(dataset, "EchoTime", "DS", value)

    header, names = normal_header(dataset)

    assert header.get("EchoTime") is None
    assert names == ()


def test_a_padding_of_not_a_number_is_a_value():
    dataset = Dataset()
    write(dataset, "FloatPixelPaddingValue", "FL", struct.pack("<f", float("nan")))

    header, names = normal_header(dataset)

    assert str(header.FloatPixelPaddingValue) == "nan"
    assert names == ()


def test_an_item_knows_what_of_itself_is_unreadable():
    dataset, measures = Dataset(), Dataset()
    write(measures, "PixelSpacing", "DS", b"wide")
    write(measures, "SliceThickness", "DS", b"4,0")
    dataset.PixelMeasuresSequence = Sequence([measures])

    header, names = normal_header(dataset)

    assert names == ("PixelSpacing",)
    assert unreadable(header) == frozenset()
    assert unreadable(header.PixelMeasuresSequence[0]) == {"PixelSpacing"}
    assert header.PixelMeasuresSequence[0].SliceThickness == 4


def test_private_junk_is_dropped_without_a_word():
    dataset = Dataset()
    dataset.add_new(0x00290010, "LO", "VENDOR")
    write(dataset, 0x00291010, "FD", b"abcd")

    header, names = normal_header(dataset)

    assert 0x00291010 not in header
    assert names == ()


def test_the_file_meta_stands_in_for_absent_uids_and_for_no_others():
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    dataset.SOPInstanceUID = "1.2.3.5"

    header, _ = normal_header(dataset)

    assert header.SOPInstanceUID == "1.2.3.5"
    assert header.SOPClassUID == "1.2.840.10008.5.1.4.1.1.4"
