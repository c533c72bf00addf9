from __future__ import annotations

import pytest
from pydicom.uid import UID

from operators.anatomy.codes import LOCAL_SCHEME
from operators.anatomy.colours import dicom_cielab
from operators.anatomy.levels import LevelName
from operators.dicom.results.segments import (
    algorithm_identification,
    describe,
    instance_segments,
    semantic_segments,
)
from operators.errors import EncodingError
from tests.builders.results import CONTEXT, INSTANCE_LABELS, SEMANTIC_LABELS, context

ALGORITHM = algorithm_identification("semantic", CONTEXT.semantic_model, CONTEXT)


def test_each_semantic_label_has_its_plain_name():
    names = {segment.label: segment.terms.name for segment in semantic_segments(SEMANTIC_LABELS)}
    assert names == {
        49: "Vertebral body",
        100: "Intervertebral disc",
        52: "Superior endplate",
        53: "Inferior endplate",
        62: "Endplate",
        26: "Sacrum",
        61: "Spinal canal",
        60: "Spinal cord",
        41: "Vertebral arch",
        42: "Spinous process",
        43: "Left transverse (costal) process",
        44: "Right transverse (costal) process",
        45: "Left superior articular process",
        46: "Right superior articular process",
        47: "Left inferior articular process",
        48: "Right inferior articular process",
    }


def test_instances_are_called_by_their_numbers_and_listed_by_kind():
    listed = [(segment.label, segment.terms.name) for segment in instance_segments(INSTANCE_LABELS)]
    assert listed == [
        (2, "vertebra 2"),
        (3, "vertebra 3"),
        (4, "vertebra 4"),
        (26, "sacrum"),
        (102, "disc below vertebra 2"),
        (103, "disc below vertebra 3"),
        (104, "disc below vertebra 4"),
        (202, "endplates of vertebra 2"),
        (203, "endplates of vertebra 3"),
        (204, "endplates of vertebra 4"),
        (226, "endplates of the sacrum"),
    ]


def test_t13_is_listed_between_t12_and_l1():
    names = [segment.terms.name for segment in instance_segments((20, 28, 19))]
    assert [segment.label for segment in instance_segments((20, 28, 19))] == [19, 28, 20]
    assert names == [f"vertebra {n}" for n in (19, 28, 20)]


def test_a_disc_above_the_first_vertebra_says_so():
    (_, disc) = instance_segments((5, 104))
    assert disc.terms.name == "disc above vertebra 5"


def test_two_discs_without_vertebrae_still_have_two_names():
    names = [segment.terms.name for segment in instance_segments((2, 104, 105))]
    assert names[1:] == ["disc below all vertebrae", "disc below all vertebrae (2)"]


@pytest.mark.parametrize("labels", [(49, 27), (49, 300)])
def test_a_label_without_a_name_is_refused(labels: tuple[int, ...]):
    with pytest.raises(EncodingError) as caught:
        semantic_segments(labels)
    assert caught.value.reasons == ("unknown_label",)
    with pytest.raises(EncodingError):
        instance_segments((1, *labels[1:], 60))


@pytest.mark.parametrize(
    "segments", [semantic_segments(SEMANTIC_LABELS), instance_segments(INSTANCE_LABELS)]
)
def test_every_item_is_complete_within_the_lengths_of_dicom(segments: tuple):
    items = describe(segments, ALGORITHM, "key")
    assert [item.SegmentNumber for item in items] == list(range(1, len(segments) + 1))
    for item, segment in zip(items, segments, strict=True):
        assert item.SegmentLabel == segment.terms.name
        assert len(item.SegmentLabel) <= 64
        assert item.SegmentAlgorithmType == "AUTOMATIC"
        assert tuple(item.RecommendedDisplayCIELabValue) == dicom_cielab(segment.colour)
        assert UID(item.TrackingUID).is_valid
        assert item.AnatomicRegionSequence[0].CodeValue == "421060004"
        assert item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    assert len({item.TrackingUID for item in items}) == len(items)


def test_laterality_is_a_coded_modifier():
    items = describe(semantic_segments((43, 44, 41)), ALGORITHM, "key")
    coded = {
        item.SegmentLabel.split()[0]: [
            code.CodeMeaning
            for code in item.SegmentedPropertyTypeCodeSequence[0].get(
                "SegmentedPropertyTypeModifierCodeSequence", []
            )
        ]
        for item in items
    }
    assert coded == {"Left": ["Left"], "Right": ["Right"], "Vertebral": []}


def test_only_endplates_need_a_code_of_our_own():
    items = describe(semantic_segments(SEMANTIC_LABELS), ALGORITHM, "key")
    local = [
        item.SegmentLabel
        for item in items
        if item.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator == LOCAL_SCHEME
    ]
    assert local == ["Superior endplate", "Inferior endplate", "Endplate"]


def test_instances_say_that_a_running_number_is_no_level():
    items = describe(instance_segments((2, 26)), ALGORITHM, "key")
    assert "not an anatomical level" in items[0].SegmentDescription
    assert "SegmentDescription" not in items[1]


def test_another_key_gives_other_tracking_uids():
    segments = semantic_segments((49,))
    one, other = (describe(segments, ALGORITHM, key)[0].TrackingUID for key in ("a", "b"))
    assert one != other


def test_the_algorithm_carries_name_version_and_both_digests():
    (item,) = algorithm_identification("instances", CONTEXT.instance_model, CONTEXT)
    assert item.AlgorithmName == "SPINEPS instances: instance_bundled"
    assert item.AlgorithmVersion == "1.0.0 sha256:b2b2b2b2b2b2"
    assert "semantic_sha256=" + "a1" * 32 in item.AlgorithmParameters
    assert "instance_sha256=" + "b2" * 32 in item.AlgorithmParameters
    assert "corpus_size_cleaning_mm3=100" in item.AlgorithmParameters
    assert item.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"


def test_long_names_are_cut_to_64_characters():
    long = context(software_version="9" * 80)
    model = type(CONTEXT.semantic_model)("m" * 80, "v" * 80, "d" * 64)
    (item,) = algorithm_identification("semantic", model, long)
    for keyword in ("AlgorithmName", "AlgorithmVersion", "AlgorithmSource"):
        assert len(item[keyword].value) <= 64


LEVELS = {
    2: LevelName(23, 0.99, ("sacrum below the lowest vertebra", "end of the spinal cord"), 24),
    3: LevelName(24, 0.9, (), 25),
    4: LevelName(25, 0.4),
}


def test_levels_stand_beside_the_number_with_their_reserve():
    segments = instance_segments((2, 3, 4, 102, 103, 202), LEVELS)
    assert [segment.terms.name for segment in segments] == [
        "vertebra 2 (L4)",
        "vertebra 3 (probably L5)",
        "vertebra 4",
        "disc below vertebra 2 (L4)",
        "disc below vertebra 3 (probably L5)",
        "endplates of vertebra 2 (L4)",
    ]
    notes = [segment.note for segment in segments]
    number = "Running number from the top of the image."
    assert notes[0] == (
        f"{number} Level: L4, confidence 0.99 "
        "(sacrum below the lowest vertebra, end of the spinal cord)."
    )
    assert notes[1] == f"{number} Level: probably L5, confidence 0.90."
    assert notes[2] == f"{number} Level: uncertain, at best L6, confidence 0.40."


def test_only_a_certain_level_is_coded():
    items = describe(instance_segments((2, 3, 4, 26, 102, 202), LEVELS), ALGORITHM, "key")
    regions = {item.SegmentLabel: item.AnatomicRegionSequence[0].CodeValue for item in items}
    assert regions == {
        "vertebra 2 (L4)": "11994002",
        "vertebra 3 (probably L5)": "421060004",
        "vertebra 4": "421060004",
        "sacrum": "421060004",
        "disc below vertebra 2 (L4)": "421060004",
        "endplates of vertebra 2 (L4)": "11994002",
    }


def test_the_longest_name_fits():
    levels = {25: LevelName(26, 0.9)}
    segment = instance_segments((225, 25), levels)[1]
    assert segment.terms.name == "endplates of vertebra 25 (probably part of the sacrum)"
    assert len(segment.terms.name) <= 64
