"""Values as they came: nonsense gives nothing, and never an error."""

from __future__ import annotations

import pytest

from app.node.archive.raw_values import RawValues, is_uid


def value(raw: bytes, byte_order: str = "little", **more: bytes) -> RawValues:
    return RawValues({"x": raw, **more}, byte_order)  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", [b"1.2.840.10008.1", b"1.2.840.10008.1\0", b"1.02"])
def test_a_uid_is_read_without_its_padding(raw: bytes):
    assert value(raw).uid("x") == raw.decode().rstrip("\0")


@pytest.mark.parametrize("raw", [b"", b"1", b"1..2", b"1.2/3", b"../1.2", b"1." + b"2" * 63])
def test_what_is_no_uid_is_empty(raw: bytes):
    assert value(raw).uid("x") == ""
    assert not is_uid(raw.decode())


def test_the_longest_uid_has_64_characters():
    assert is_uid("1." + "2" * 62)
    assert not is_uid("1." + "2" * 63)


@pytest.mark.parametrize(
    ("raw", "number", "whole", "first"),
    [
        (b"12 ", 12.0, 12, 12),
        (b"-3", -3.0, -3, None),
        (b"4.5", 4.5, 4, None),
        (b"1\\2", None, None, 1),
        (b"nan", None, None, None),
        (b"inf", None, None, None),
        (b"1e99", 1e99, None, None),
        (b"2147483648", 2147483648.0, None, None),
        (b"999999999", 999999999.0, 999999999, 999999999),
        (b"", None, None, None),
    ],
)
def test_numbers_as_text(raw: bytes, number: float | None, whole: int | None, first: int | None):
    read = value(raw)
    assert (read.number("x"), read.whole("x"), read.first_whole("x")) == (number, whole, first)


def test_so_many_numbers_or_none():
    assert value(b"1\\2.5 \\-3").numbers("x", 3) == (1.0, 2.5, -3.0)
    assert value(b"1\\2").numbers("x", 3) is None
    assert value(b"1\\x\\3").numbers("x", 3) is None
    assert value(b"").numbers("missing", 1) is None


def test_binary_numbers_follow_the_byte_order():
    assert value(b"\1\2").binary("x") == 0x0201
    assert value(b"\1\2", "big").binary("x") == 0x0102
    assert value(b"\1\0\0\0").binary("x") == 1
    assert value(b"\1\2\3").binary("x") is None


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        (b"ISO_IR 100", b"W\xfcrfel ", "Würfel"),
        (b"ISO_IR 192", "Größe".encode(), "Größe"),
        (b"nonsense", b"a\xfc", "aü"),
        (b"ISO_IR 192", b"a\xff\0b", "a\ufffdb"),
    ],
)
def test_text_is_decoded_or_replaced(charset: bytes, raw: bytes, text: str):
    assert value(raw, character_set=charset).text("x") == text


def test_a_header_is_whole_where_it_ended_or_the_bytes_did_and_nothing_broke():
    assert not RawValues({}).is_whole
    assert RawValues({}, has_ended=True).is_whole
    assert RawValues({}, is_at_end=True).is_whole
    assert not RawValues({}, has_ended=True, is_broken=True).is_whole
