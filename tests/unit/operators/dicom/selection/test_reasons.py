"""Reasons that decide and hints that don't."""

from __future__ import annotations

from operators.dicom.selection.reasons import against, hint, in_favour, is_rejected


def test_one_reason_against_outweighs_two_in_favour():
    assert is_rejected((in_favour("sagittal"), against("t1_weighted"), in_favour("x")))


def test_hints_against_reject_nothing():
    assert not is_rejected((in_favour("sagittal"), hint("few_slices", speaks_for=False)))
