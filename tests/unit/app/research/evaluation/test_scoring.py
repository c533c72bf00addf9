import numpy as np
import pytest

from app.research.evaluation.measures import Item, Masks
from app.research.evaluation.reading import read_prediction
from app.research.evaluation.scoring import score_case
from app.research.evaluation.structures import KINDS, LATERAL, STRUCTURES, SUBSTRUCTURES
from operators.errors import GeometryError
from operators.imaging.volume import LabelMap
from tests.builders.spine_boxes import spine_boxes


def values_of(reference: Masks, prediction: Masks) -> dict[tuple[Item, str], float]:
    return {(m.item, m.metric): m.value for m in score_case(reference, prediction).measures}


def test_a_perfect_prediction_scores_1_everywhere_and_0_mm():
    for (item, metric), value in values_of(spine_boxes(), spine_boxes()).items():
        if np.isnan(value):
            continue
        expected = {"dsc": 1, "iou": 1, "rq": 1, "sq": 1, "pq": 1, "found": 1, "assd_mm": 0}
        assert value == expected.get(metric, value), (item, metric)


def test_structures_moved_by_2_rows_lose_2_rows():
    values = values_of(spine_boxes(), spine_boxes(down=2))
    assert values[Item("structure", "corpus"), "dsc"] == pytest.approx(10 / 12)
    assert values[Item("structure", "disc"), "dsc"] == pytest.approx(3 / 5)
    assert values[Item("structure", "spinous process"), "dsc"] == pytest.approx(6 / 8)
    assert values[Item("structure", "canal"), "dsc"] == 1.0


def test_volumes_are_in_millilitres():
    values = values_of(spine_boxes(), spine_boxes())
    # 4 bodies of 6 x 12 x 20 voxels of 3 mm^3.
    expected = 4 * 6 * 12 * 20 * 3 / 1000
    assert values[Item("structure", "corpus"), "reference_ml"] == pytest.approx(expected)


def test_split_and_unsplit_endplates_are_one_structure():
    split = spine_boxes()
    labels = split.semantic.labels_zyx
    split = Masks(
        semantic=split.semantic.with_labels(np.where(labels == 62, 53, labels)),
        instances=split.instances,
    )
    assert values_of(spine_boxes(), split)[Item("structure", "endplate"), "dsc"] == 1.0


def test_a_structure_that_nobody_has_is_undefined_and_not_annotated():
    score = score_case(spine_boxes(), spine_boxes())
    cord = [m for m in score.measures if m.item == Item("structure", "cord") and m.metric == "dsc"]
    assert np.isnan(cord[0].value)
    assert "structure:cord" not in score.annotated
    assert {"structure:canal", "structure:canal and cord", "detection:disc"} <= score.annotated


def test_maps_that_one_author_lacks_are_not_scored():
    masks = spine_boxes()
    only_instances = score_case(masks, Masks(instances=masks.instances))
    assert {m.item.scope for m in only_instances.measures} == {"detection", "level"}
    only_semantic = score_case(masks, Masks(semantic=masks.semantic))
    assert {m.item.scope for m in only_semantic.measures} == {"structure"}
    names = {m.item.name for m in only_semantic.measures}
    assert names == {*STRUCTURES, *SUBSTRUCTURES, LATERAL}


def test_exchanged_sides_are_seen():
    def with_articulars(left: int, right: int) -> Masks:
        masks = spine_boxes()
        labels = masks.semantic.labels_zyx
        sides = np.where(np.arange(len(labels)) < 5, left, right).reshape(-1, 1, 1)
        return Masks(semantic=masks.semantic.with_labels(np.where(labels == 42, sides, labels)))

    key = Item("structure", LATERAL), "side"
    assert values_of(with_articulars(45, 46), with_articulars(45, 46))[key] == 1.0
    assert values_of(with_articulars(45, 46), with_articulars(46, 45))[key] == 0.0
    assert values_of(with_articulars(45, 46), with_articulars(45, 45))[key] == 0.5


def test_all_kinds_of_instances_are_scored_where_both_maps_are_there():
    score = score_case(spine_boxes(), spine_boxes())
    assert {s.kind for s in score.instances} == {kind.name for kind in KINDS}


def test_empty_space_around_the_spine_changes_nothing():
    def padded(masks: Masks) -> Masks:
        def pad(labels: LabelMap) -> LabelMap:
            wide = np.pad(labels.labels_zyx, ((2, 1), (3, 4), (5, 6)))
            affine = labels.affine_lps.copy()
            affine[:3, 3] -= affine[:3, :3] @ (2, 3, 5)
            return LabelMap(wide, affine)

        return Masks(semantic=pad(masks.semantic), instances=pad(masks.instances))

    plain = values_of(spine_boxes(), spine_boxes(down=2))
    wide = values_of(padded(spine_boxes()), padded(spine_boxes(down=2)))
    assert wide == pytest.approx(plain, nan_ok=True)


def test_empty_maps_score_nothing():
    nothing = read_prediction(None, spine_boxes())
    assert all(np.isnan(value) or value == 0 for value in values_of(nothing, nothing).values())


def test_maps_of_different_shapes_are_refused():
    small = LabelMap(np.zeros((2, 2, 2), np.uint16), np.eye(4))
    with pytest.raises(GeometryError) as caught:
        score_case(spine_boxes(), Masks(semantic=small))
    assert caught.value.reasons == ("different_grids",)
