from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom.dsutils import encode

from app.node.archive.header import read_header
from app.node.archive.header_stream import MOST_READS
from app.node.archive.incoming import HEAD_BYTES
from app.node.archive.raw_values import is_uid
from tests.builders.dicom_sender import data_set_of
from tests.builders.mr_series import make_series
from tests.builders.mutations import mutate

if TYPE_CHECKING:
    from pathlib import Path

LITTLE = str(ExplicitVRLittleEndian)


def image(**changes: object) -> Dataset:
    dataset = Dataset()
    values = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2",
        "SeriesInstanceUID": "1.2.3",
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "SeriesDescription": "t2 sag",
        "EchoTime": "101.5",
        "EchoNumbers": 2,
        "ImagesInAcquisition": 15,
        "ImagePositionPatient": [1.5, -2.0, 3.0],
        "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
        "Rows": 448,
        "Columns": 320,
        **changes,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def encoded(dataset: Dataset, syntax: str = LITTLE) -> bytes:
    content = encode(
        dataset,
        syntax == ImplicitVRLittleEndian,
        syntax != ExplicitVRBigEndian,
        syntax == DeflatedExplicitVRLittleEndian,
    )
    assert content is not None
    return content


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_a_header_reads_the_same_in_all_4_native_encodings(syntax: str) -> None:
    header = read_header(encoded(image(), syntax), syntax)
    assert (header.sop_instance_uid, header.series_uid, header.study_uid) == (
        "1.2.3.4",
        "1.2.3",
        "1.2",
    )
    facts = header.facts
    assert (facts.rows, facts.columns, facts.echo_time, facts.echo_number) == (448, 320, 101.5, 2)
    assert facts.image_position == (1.5, -2.0, 3.0)
    assert facts.image_orientation == (0, 1, 0, 0, 0, -1)
    assert facts.images_in_acquisition == 15
    assert facts.image_type == ("ORIGINAL", "PRIMARY", "M")
    assert header.is_whole


@pytest.mark.parametrize(
    ("sop_class", "is_image", "is_enhanced"),
    [
        (MRImageStorage, True, False),
        (EnhancedMRImageStorage, True, True),
        (LegacyConvertedEnhancedMRImageStorage, True, True),
        (SecondaryCaptureImageStorage, False, False),
    ],
)
def test_3_classes_are_images(sop_class: str, is_image: bool, is_enhanced: bool) -> None:  # noqa: FBT001 -- a table
    facts = read_header(encoded(image(SOPClassUID=sop_class)), LITTLE).facts
    assert (facts.is_image, facts.is_enhanced) == (is_image, is_enhanced)


def test_the_private_number_of_slices_needs_its_creator() -> None:
    dataset = image()
    block = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x18, "SL", 17)
    assert read_header(encoded(dataset), LITTLE).facts.number_of_slices == 17
    dataset[0x2001, 0x0010].value = "SOMEBODY ELSE"
    assert read_header(encoded(dataset), LITTLE).facts.number_of_slices is None


def test_a_part_of_a_concatenation_says_so() -> None:
    dataset = image(ConcatenationUID="1.9", InConcatenationTotalNumber=3, NumberOfFrames=5)
    facts = read_header(encoded(dataset), LITTLE).facts
    assert (facts.is_concatenated, facts.number_of_frames) == (True, 5)


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        ("ISO_IR 100", b"Wirbels\xe4ule", "Wirbels\u00e4ule"),
        ("ISO_IR 192", "\u810a\u690e".encode(), "\u810a\u690e"),
        ("NO SUCH SET", b"spine", "spine"),
        ("ISO_IR 192", b"\xff\xfe spine", "\ufffd\ufffd spine"),
        ("ISO_IR 100", b"a\x1b[2J\x00\x07b", "a[2Jb"),
    ],
)
def test_a_description_is_read_in_its_character_set(charset: str, raw: bytes, text: str) -> None:
    dataset = Dataset()
    head = encoded(dataset)
    for number, vr, value in ((0x0005, b"CS", charset.encode()), (0x103E, b"LO", raw)):
        value += b" " * (len(value) % 2)  # noqa: PLW2901 -- padded to even length
        head += b"\x08\x00" + number.to_bytes(2, "little") + vr
        head += len(value).to_bytes(2, "little") + value
    assert read_header(head, LITTLE).description == text


@pytest.mark.parametrize(
    "changes",
    [
        {"ImagePositionPatient": None},
        {"Rows": None},
        {"EchoTime": None},
    ],
)
def test_what_is_absent_is_none(changes: dict[str, object]) -> None:
    header = read_header(encoded(image(**changes)), LITTLE)
    assert header.is_whole
    keyword = next(iter(changes))
    names = {"ImagePositionPatient": "image_position", "Rows": "rows", "EchoTime": "echo_time"}
    assert getattr(header.facts, names[keyword]) is None


def test_an_empty_data_set_and_a_cut_off_one_are_not_whole() -> None:
    whole = encoded(image())
    assert not read_header(b"", LITTLE).is_whole
    assert not read_header(whole[:-1], LITTLE).is_whole


def private(element: int, vr: str, value: object) -> tuple[int, str, object]:
    return 0x00090000 + element, vr, value


def nested(size: int) -> Sequence:
    inner = Dataset()
    inner.add_new(0x00091010, "OB", bytes(size))
    inner.is_undefined_length_sequence_item = True
    outer = Dataset()
    outer.add_new(0x00091020, "SQ", Sequence([inner]))
    outer[0x00091020].is_undefined_length = True
    outer.is_undefined_length_sequence_item = True
    return Sequence([outer, outer])


LONG = {
    "one element of 3 MiB": [private(0x1001, "OB", bytes(3 * HEAD_BYTES))],
    "5000 elements of 1 kB": [private(0x1000 + n, "OB", bytes(1000)) for n in range(5000)],
    "nested sequences of undefined length": [private(0x1001, "SQ", nested(HEAD_BYTES))],
}


def long_header(case: str) -> Dataset:
    dataset = image()
    for tag, vr, value in LONG[case]:
        dataset.add_new(tag, vr, value)
        dataset[tag].is_undefined_length = vr == "SQ"
    dataset.add_new(0x7FE00010, "OW", bytes(1000))
    return dataset


@pytest.mark.parametrize("case", LONG)
@pytest.mark.parametrize(
    "syntax",
    [LITTLE, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_identifiers_behind_megabytes_of_private_data_are_found(case: str, syntax: str) -> None:
    content = encoded(long_header(case), syntax)
    header = read_header(content[:HEAD_BYTES], syntax, lambda: BytesIO(content))
    assert header.is_whole
    assert header.series_uid == "1.2.3"
    assert header.facts == read_header(encoded(image()), LITTLE).facts


def test_a_long_header_that_is_cut_off_is_not_whole() -> None:
    content = encoded(long_header("one element of 3 MiB"))[: 2 * HEAD_BYTES]
    header = read_header(content[:HEAD_BYTES], LITTLE, lambda: BytesIO(content))
    assert not header.is_whole


class Watched(BytesIO):
    """Knows how much was read of it at a time."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reads: list[int] = []

    def read(self, count: int | None = -1, /) -> bytes:
        value = super().read(count)
        self.reads.append(len(value))
        return value


def test_what_is_skipped_is_not_held_in_memory() -> None:
    content = encoded(long_header("one element of 3 MiB"))
    watched = Watched(content)
    assert read_header(content[:HEAD_BYTES], LITTLE, lambda: watched).is_whole
    assert max(watched.reads) < 100
    assert sum(watched.reads) < 2000


def test_a_header_behind_64_mebibytes_is_not_found_and_costs_no_memory() -> None:
    element = b"\x09\x00\x01\x10OB\0\0" + (80 << 20).to_bytes(4, "little")
    content = element + bytes(80 << 20) + encoded(image())
    header = read_header(content[:HEAD_BYTES], LITTLE, lambda: BytesIO(content))
    assert (header.is_whole, header.series_uid) == (False, "")


def test_a_wanted_value_of_gigabytes_is_cut_off() -> None:
    element = b"\x08\x00\x3e\x10UT\0\0" + (0xFFFFFFF0).to_bytes(4, "little")
    content = element + bytes(3 * HEAD_BYTES)
    header = read_header(content[:HEAD_BYTES], LITTLE, lambda: BytesIO(content))
    assert not header.is_whole
    assert len(header.description) <= 64


@pytest.mark.parametrize(
    ("opening", "element"),
    [
        (b"\x09\x00\x01\x10SQ\0\0\xff\xff\xff\xff", b"\xfe\xff\x00\xe0\0\0\0\0"),
        (b"", b"\x09\x00\x01\x10LO\0\0"),
    ],
)
def test_a_million_empty_elements_end_at_the_bound(opening: bytes, element: bytes) -> None:
    content = opening + element * 1_000_000 + encoded(image())
    watched = Watched(content)
    assert not read_header(content[:HEAD_BYTES], LITTLE, lambda: watched).is_whole
    assert len(watched.reads) == MOST_READS


def test_a_file_that_cannot_be_read_again_is_no_whole_header() -> None:
    def gone() -> BytesIO:
        raise FileNotFoundError

    content = encoded(long_header("one element of 3 MiB"))
    assert not read_header(content[:HEAD_BYTES], LITTLE, gone).is_whole


def test_a_deflated_bomb_is_read_to_one_mebibyte_only() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(encoded(image()) + bytes(100 << 20)) + packer.flush()
    assert len(bomb) < HEAD_BYTES
    header = read_header(bomb, str(DeflatedExplicitVRLittleEndian))
    assert header.series_uid == "1.2.3"


def test_nested_sequences_10000_deep_end_in_a_header_and_not_in_a_crash() -> None:
    item = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    assert not read_header(item * 10000, LITTLE).is_whole


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("1.2.840.10008.1.1", True),
        ("1.02.3", True),
        ("1", False),
        ("1..2", False),
        ("1.2.", False),
        ("1.2\n", False),
        ("../1.2", False),
        ("1.2.\u0663", False),
        ("1." + "2" * 62, True),
        ("1." + "2" * 63, False),
    ],
)
def test_uids_are_digits_and_dots(text: str, good: bool) -> None:  # noqa: FBT001 -- a table
    assert is_uid(text) is good


def test_10000_mutated_objects_raise_nothing(tmp_path: Path) -> None:
    path = make_series(tmp_path, rows=8, columns=8).paths[0]
    content = path.read_bytes()
    broken = 0
    for seed in range(10000):
        mutated = mutate(content, seed)
        header = read_header(mutated[len(content) - len(data_set_of(path)) :], LITTLE)
        assert all(
            not uid or is_uid(uid)
            for uid in (header.series_uid, header.study_uid, header.sop_instance_uid)
        )
        broken += not (header.is_whole and header.series_uid)
    assert 500 < broken < 9500


def test_random_bytes_are_no_header() -> None:
    assert read_header(BytesIO(b"\x13" * 5000).read(), LITTLE).series_uid == ""
