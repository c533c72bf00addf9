from __future__ import annotations

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import UID

from operators.dicom.identity.uids import derived_uid, digest


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(), max_size=4))
def test_a_derived_uid_is_a_valid_dicom_uid_of_at_most_44_characters(parts: list[str]):
    uid = derived_uid(*parts)
    assert UID(uid).is_valid
    assert len(uid) <= 44
    number = uuid.UUID(int=int(uid.removeprefix("2.25.")))
    assert number.variant == uuid.RFC_4122
    assert number.version == 8
    assert uid == derived_uid(*parts)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_other_parts_give_another_digest(one: list[str], other: list[str]):
    assert (digest(one) == digest(other)) == (one == other)


def test_moving_one_letter_between_parts_changes_the_uid():
    assert derived_uid("ab", "c") != derived_uid("a", "bc") != derived_uid("abc")
