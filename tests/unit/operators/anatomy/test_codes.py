from __future__ import annotations

import pytest
from pydicom.sr._concepts_dict import concepts

from operators.anatomy import codes
from operators.anatomy.codes import LOCAL_SCHEME, STRUCTURES, Concept, instance_concept
from operators.anatomy.labels import LEFT_RIGHT_PAIRS, MODEL_STRUCTURES

ALL = [value for value in vars(codes).values() if isinstance(value, Concept)]
IN_PYDICOM = {code for entry in concepts["SCT"].values() for code in entry}
NOT_IN_A_CONTEXT_GROUP = {
    "3572006": "Structure of body of vertebra",
    "360499006": "Intervertebral disc",
    "1172006": "Odontoid process of axis",
    "123037004": "Anatomical Structure",
}
"""SNOMED CT concepts that pydicom's tables lack (or know under another number)."""


def verhoeff(digits: str) -> int:
    """Check sum of SNOMED CT identifiers (0 is right), from the group D5."""
    checksum = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(position % 8):
            value = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[value]
        turn = lambda a, b: (a + b) % 5 if a < 5 else (a - b) % 5  # noqa: E731
        if value < 5:
            checksum = turn(checksum, value) + (5 if checksum >= 5 else 0)
        else:
            checksum = turn(checksum, value - 5) + (0 if checksum >= 5 else 5)
    return checksum


@pytest.mark.parametrize("concept", ALL, ids=lambda concept: concept.meaning)
def test_every_snomed_code_is_known_and_has_a_right_check_digit(concept: Concept):
    if concept.scheme == LOCAL_SCHEME:
        return
    assert concept.scheme == "SCT"
    assert verhoeff(concept.value) == 0
    assert concept.value in IN_PYDICOM or NOT_IN_A_CONTEXT_GROUP[concept.value] == concept.meaning


def test_one_wrong_digit_fails_the_check():
    assert verhoeff("51282000") == 0
    assert verhoeff("51282001") != 0
    assert verhoeff("15282000") != 0


@pytest.mark.parametrize(
    ("concept", "keyword"),
    [
        (codes.VERTEBRA, "Vertebra"),
        (codes.SACRUM, "Sacrum"),
        (codes.ARCH, "ArchOfVertebra"),
        (codes.SPINOUS_PROCESS, "SpinousProcessOfVertebra"),
        (codes.TRANSVERSE_PROCESS, "TransverseProcessOrVertebra"),
        (codes.SUPERIOR_ARTICULAR, "SuperiorArticularProcessOfVertebra"),
        (codes.INFERIOR_ARTICULAR, "InferiorArticularProcessOfVertebra"),
        (codes.CORD, "SpinalCord"),
        (codes.CANAL, "VertebralCanal"),
        (codes.LEFT, "Left"),
        (codes.RIGHT, "Right"),
        (codes.SUPERIOR, "Superior"),
        (codes.INFERIOR, "Inferior"),
    ],
)
def test_codes_mean_in_dicom_what_they_mean_here(concept: Concept, keyword: str):
    assert concept.value in concepts["SCT"][keyword]


def test_every_structure_of_the_models_has_terms():
    assert set(MODEL_STRUCTURES) <= set(STRUCTURES)
    assert len({terms.name for terms in STRUCTURES.values()}) == len(STRUCTURES)


def test_lengths_fit_dicom():
    for terms in STRUCTURES.values():
        assert len(terms.name) <= 64
    for concept in ALL:
        assert len(concept.meaning) <= 64
        assert len(concept.value) <= 16


def test_left_and_right_differ_in_their_modifier_alone():
    for left, right in LEFT_RIGHT_PAIRS:
        one, other = STRUCTURES[left], STRUCTURES[right]
        assert one.type == other.type
        assert (one.modifiers, other.modifiers) == ((codes.LEFT,), (codes.RIGHT,))
        assert one.name.replace("Left", "Right") == other.name


@pytest.mark.parametrize(
    ("label", "concept"),
    [(5, codes.VERTEBRA), (28, codes.VERTEBRA), (26, codes.SACRUM), (105, codes.DISC),
     (205, codes.ENDPLATE), (226, codes.ENDPLATE)],
)  # fmt: skip
def test_instances_are_vertebra_disc_endplate_or_sacrum(label: int, concept: Concept):
    assert instance_concept(label) == concept
