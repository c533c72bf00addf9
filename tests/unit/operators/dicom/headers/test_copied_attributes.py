from __future__ import annotations

from pydicom.datadict import dictionary_has_tag, keyword_dict

from operators.dicom.headers import copied_attributes


def test_every_keyword_is_in_the_dicom_dictionary_and_named_once():
    names = copied_attributes.COPIED
    for name in (*names, *copied_attributes.REQUIRED_PLACE, *copied_attributes.OPTIONAL_PLACE):
        assert dictionary_has_tag(keyword_dict[name])
    assert len(set(names)) == len(names)


def test_what_must_be_present_and_empty_is_copied_where_it_exists():
    assert set(copied_attributes.REQUIRED_EMPTY) <= set(copied_attributes.COPIED)
