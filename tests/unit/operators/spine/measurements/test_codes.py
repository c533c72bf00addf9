"""Codes of the measures: every measure has one that DICOM can carry, and no two share a meaning."""

from operators.anatomy.codes import LOCAL_SCHEME
from operators.dicom.results.measurement_report import _UNITS
from operators.spine.measurements.codes import coded
from operators.spine.measurements.definitions import MEASURES
from operators.spine.measurements.measure import Measurement


def all_coded():
    rows = [Measurement(instance=1, level="", measure=key, value=2.0) for key in MEASURES]
    return dict(zip(MEASURES, coded(rows), strict=True))


def test_every_measure_is_coded_in_order_and_fits_into_dicom():
    for value in all_coded().values():
        for concept in filter(None, (value.concept, value.method, value.derivation)):
            assert 1 <= len(concept.value) <= 16  # SH
            assert 1 <= len(concept.meaning) <= 64  # LO
        assert value.unit in _UNITS


def test_within_a_structure_no_two_measures_have_the_same_code():
    names = [(value.structure, value.concept.value) for value in all_coded().values()]
    assert len(set(names)) == len(names)
    own = {}
    for value in all_coded().values():
        for concept in (value.concept, value.method):
            if concept.scheme == LOCAL_SCHEME:
                assert own.setdefault(concept.value, concept.meaning) == concept.meaning


def test_grades_and_ids_are_whole_numbers_and_what_has_no_value_is_left_out():
    values = all_coded()
    assert isinstance(values["genant_grade_proposed"].value, int)
    assert isinstance(values["coronal_cobb_upper_vertebra"].value, int)
    assert isinstance(values["slip"].value, float)
    withheld = Measurement(instance=1, level="", measure="slip", reason="neighbour_not_measured")
    assert coded([withheld]) == ()
