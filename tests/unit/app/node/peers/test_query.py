"""Identifiers of queries, and answers that are not what they should be."""

from __future__ import annotations

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from app.errors import PeerRefusedError
from app.node.peers.query import _text, identifier_of

SOP_UID = 0x00080018


def raw(value: bytes | None) -> Dataset:
    dataset = Dataset()
    dataset[SOP_UID] = RawDataElement(Tag(SOP_UID), "UI", len(value or b""), value, 0, False, True)
    return dataset


def test_the_identifier_names_one_series_and_nothing_else() -> None:
    identifier = identifier_of("IMAGE", "1.2.3", "1.02.3")
    assert [(element.keyword, element.value) for element in identifier] == [
        ("QueryRetrieveLevel", "IMAGE"),
        ("StudyInstanceUID", "1.2.3"),
        ("SeriesInstanceUID", "1.02.3"),
    ]


@pytest.mark.parametrize(
    "uid", ["", "*", "?", "1.2*", "1.2\\1.3", "1.2 ", "1" * 65, "a.b", "1.2\n"]
)
def test_a_uid_that_would_match_more_is_refused(uid: str) -> None:
    for study, series in ((uid, "1.2"), ("1.2", uid)):
        with pytest.raises(PeerRefusedError):
            identifier_of("SERIES", study, series)


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"1.2.3\0", "1.2.3"), (b"12 ", "12"), (b"", ""), (None, ""), (b"\xff\xfe1", "��1")],
)
def test_an_answer_is_read_as_it_came(value: bytes | None, text: str) -> None:
    assert _text(raw(value), SOP_UID) == text


def test_an_answer_without_the_attribute_is_empty() -> None:
    assert _text(Dataset(), SOP_UID) == ""
