"""Padding is judged on stored values, with the sign of the pixels and never beyond their words."""

from __future__ import annotations

import numpy as np
import pytest

from operators.dicom.headers.pixel_description import PixelDescription
from operators.dicom.reading.padding import find_padding


def _description(
    padding: tuple[float, float], bits: tuple[int, int], *, signed: bool = False, real: bool = False
) -> PixelDescription:
    allocated, stored = bits
    return PixelDescription(
        rows=1,
        columns=4,
        frames=1,
        allocated=allocated,
        stored=stored,
        high=stored - 1,
        is_signed=signed,
        is_float=real,
        is_inverted=False,
        padding=padding,
        problems={},
    )


def _marked(values: list[int], description: PixelDescription) -> list[bool]:
    """As decoding asks: the words, and the samples cut out of them."""
    words = np.array(values).astype(f"<u{description.allocated // 8}")
    samples = words.astype(np.int64) & ((1 << description.stored) - 1)
    if description.is_signed:
        samples -= (samples >> (description.stored - 1)) << description.stored
    found = find_padding(samples, words, description)
    return [False] * len(values) if found is None else found.tolist()


@pytest.mark.parametrize("written", [-2000, 63536])
def test_the_sign_of_the_padding_value_follows_the_pixels_whatever_its_vr(written: int):
    signed = _description((written, written), (16, 16), signed=True)
    unsigned = _description((written, written), (16, 16))

    assert _marked([-2000, 0, 7, 2000], signed) == [True, False, False, False]
    assert _marked([63536, 0, 7, 2000], unsigned) == [True, False, False, False]


def test_a_padding_of_12_bits_is_found_under_junk_in_the_4_bits_above():
    assert _marked([0x0FFF, 0xAFFF, 0x0FFE, 0], _description((4095, 4095), (16, 12))) == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("written", [-2000, 63536])
def test_a_padding_that_12_bits_cannot_hold_is_found_in_the_whole_words(written: int):
    description = _description((written, written), (16, 12))

    assert _marked([63536, 63536 & 0xFFF, 0, 1], description) == [True, False, False, False]


def test_a_padding_that_8_bits_cannot_hold_marks_nothing():
    assert _marked([255, 0, 1, 2], _description((65535, 65535), (8, 8))) == [False] * 4


@pytest.mark.parametrize("limits", [(-2000, -1990), (63536, 63546)])
def test_a_range_is_marked_with_both_its_ends(limits: tuple[int, int]):
    description = _description(limits, (16, 16), signed=True)

    assert _marked([-2000, -1995, -1990, -1989], description) == [True, True, True, False]


def test_a_padding_of_16_bits_in_words_of_32():
    description = _description((63536, 63536), (32, 24), signed=True)

    assert _marked([-2000, 63536, 0, 1], description) == [True, False, False, False]


def test_float_padding_is_compared_in_the_precision_of_the_pixels_and_may_be_nan():
    values = np.array([0.1, 0.2, np.nan, 0.3], dtype=np.float32)

    tenth = find_padding(values, values, _description((0.1, 0.1), (32, 32), real=True))
    nan = find_padding(values, values, _description((np.nan, np.nan), (32, 32), real=True))

    assert tenth.tolist() == [True, False, False, False]
    assert nan.tolist() == [False, False, True, False]
