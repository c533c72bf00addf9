"""Whatever stands in a header becomes a number, a word or nothing."""

from __future__ import annotations

import pytest

from operators.dicom.headers.header_values import median, numbers, positive_number, texts, words
from tests.builders.plain_headers import header


def test_blanks_hyphens_and_case_make_no_difference_between_words():
    item = header(SeriesDescription="Original\\Phase Map\\IN-PHASE")

    assert words(item, "SeriesDescription") == ("ORIGINAL", "PHASE_MAP", "IN_PHASE")


def test_an_absent_or_empty_attribute_has_no_texts():
    assert texts(header(), "ImageType") == ()
    assert texts(header(SeriesDescription="  "), "SeriesDescription") == ()


def test_one_value_that_is_no_number_makes_none():
    assert numbers(header(ScanOptions=["1", "X"]), "ScanOptions") == ()


@pytest.mark.parametrize("value", [0, -5])
def test_a_time_of_zero_or_less_is_none(value: int):
    assert positive_number(header(EchoTime=value), "EchoTime") is None


def test_a_keyword_that_is_not_dicom_is_a_mistake_of_the_programmer():
    with pytest.raises(KeyError):
        texts(header(), "EchoTimes")


def test_the_median_of_an_even_number_is_the_lower_one_and_none_is_ignored():
    assert median([4.0, None, 1.0, 2.0, 3.0]) == 2.0
    assert median([None]) is None
