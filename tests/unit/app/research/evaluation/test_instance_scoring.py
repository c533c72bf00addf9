import numpy as np
import pytest

from app.research.evaluation.instance_scoring import score_kind, score_parts
from app.research.evaluation.measures import Item, Masks
from app.research.evaluation.regions import Region
from app.research.evaluation.structures import KINDS
from tests.builders.spine_boxes import BODY_ROWS, spine_boxes, without

KIND = {kind.name: kind for kind in KINDS}


def value(measures: list, item: Item, metric: str) -> float:
    return next(m.value for m in measures if m.item == item and m.metric == metric)


def defined(measures: list) -> list:
    return [m for m in measures if np.isfinite(m.value)]


def test_bodies_moved_by_3_of_12_rows_have_a_dice_of_9_in_12_and_an_iou_of_9_in_15():
    scores, measures = score_kind(KIND["corpus"], spine_boxes(), spine_boxes(down=3))
    assert [s.outcome for s in scores] == ["matched"] * 4
    for score in scores:
        assert score.values["dsc"] == pytest.approx(9 / BODY_ROWS)
        assert score.values["iou"] == pytest.approx(9 / 15)
    whole = Item("detection", "corpus")
    assert value(measures, whole, "rq") == 1.0
    assert value(measures, whole, "sq") == value(measures, whole, "pq") == pytest.approx(0.6)


def test_running_numbers_score_as_levels_do():
    by_level = score_kind(KIND["vertebra"], spine_boxes(), spine_boxes(down=1))[1]
    running = score_kind(KIND["vertebra"], spine_boxes(), spine_boxes(down=1, first_number=2))[1]
    assert defined(by_level) == defined(running)


def test_a_missed_lumbar_vertebra_counts_in_the_lumbar_region_only():
    scores, measures = score_kind(
        KIND["vertebra"], spine_boxes((18, 19, 20, 21)), without(spine_boxes(), 20)
    )
    assert [(s.reference, s.outcome) for s in scores if s.outcome != "matched"] == [(20, "missed")]
    lumbar = Item("detection", "vertebra", Region.LUMBAR)
    thoracic = Item("detection", "vertebra", Region.THORACIC)
    assert [value(measures, lumbar, m) for m in ("tp", "fp", "fn")] == [1, 0, 1]
    assert value(measures, lumbar, "rq") == pytest.approx(1 / 1.5)
    assert value(measures, thoracic, "rq") == 1.0
    assert value(measures, Item("detection", "vertebra"), "rq") == pytest.approx(3 / 3.5)
    cervical = Item("detection", "vertebra", Region.CERVICAL)
    assert np.isnan(value(measures, cervical, "rq"))


def test_an_extra_vertebra_counts_in_the_region_of_its_nearest_neighbour():
    scores, measures = score_kind(KIND["vertebra"], without(spine_boxes(), 21), spine_boxes())
    extra = next(s for s in scores if s.outcome == "extra")
    assert (extra.prediction, extra.reference, extra.region) == (21, None, Region.LUMBAR)
    assert value(measures, Item("detection", "vertebra", Region.LUMBAR), "fp") == 1
    assert value(measures, Item("detection", "vertebra", Region.THORACIC), "fp") == 0


def test_an_extra_vertebra_without_any_reference_counts_in_the_whole_only():
    nothing = spine_boxes()
    for level in (18, 19, 20, 21):
        nothing = without(nothing, level)
    scores, measures = score_kind(KIND["vertebra"], nothing, spine_boxes())
    assert {s.region for s in scores} == {None}
    assert value(measures, Item("detection", "vertebra"), "rq") == 0.0


def test_each_level_says_whether_it_was_found_and_how_well():
    measures = score_kind(KIND["vertebra"], spine_boxes(), without(spine_boxes(), 19))[1]
    assert value(measures, Item("level", "vertebra 18"), "found") == 1.0
    assert value(measures, Item("level", "vertebra 18"), "assd_mm") == 0.0
    assert value(measures, Item("level", "vertebra 19"), "found") == 0.0
    assert np.isnan(value(measures, Item("level", "vertebra 19"), "dsc"))


def test_bodies_cannot_be_scored_without_a_semantic_map():
    bare = Masks(instances=spine_boxes().instances)
    assert score_kind(KIND["corpus"], spine_boxes(), bare) == ([], [])
    assert score_kind(KIND["vertebra"], spine_boxes(), bare)[0]


def test_parts_are_scored_inside_matched_vertebrae_only():
    reference, prediction = spine_boxes(), without(spine_boxes(down=2), 21)
    scores = score_kind(KIND["vertebra"], reference, prediction)[0]
    measures = score_parts(reference, prediction, scores)
    # 2 of 12 rows of a body, 2 of 8 rows of a spinous process.
    assert value(measures, Item("part", "corpus"), "dsc") == pytest.approx(10 / 12)
    spinous = Item("part", "spinous process", Region.LUMBAR)
    assert value(measures, spinous, "dsc") == pytest.approx(6 / 8)
    assert not [m for m in measures if m.item.name == "arcus"]


def test_a_neighbour_that_reaches_into_the_box_of_a_vertebra_is_none_of_its_parts():
    def with_long_process(masks: Masks, lost_body: int | None) -> Masks:
        semantic, instances = masks.semantic.labels_zyx.copy(), masks.instances.labels_zyx.copy()
        semantic[2:8, 6:40, 52:56], instances[2:8, 6:40, 52:56] = 42, 18
        if lost_body is not None:
            body = (instances == lost_body) & (semantic == 49)
            semantic[body] = instances[body] = 0
        return Masks(
            semantic=masks.semantic.with_labels(semantic),
            instances=masks.instances.with_labels(instances),
        )

    reference = with_long_process(spine_boxes(), None)
    prediction = with_long_process(spine_boxes(), 19)
    scores = score_kind(KIND["vertebra"], reference, prediction)[0]
    assert [s.reference for s in scores if s.outcome == "matched"] == [18, 20, 21]
    measures = score_parts(reference, prediction, scores)
    assert value(measures, Item("part", "corpus"), "dsc") == 1.0


def test_a_part_that_one_side_lacks_scores_0():
    reference, prediction = spine_boxes(), spine_boxes()
    labels = prediction.semantic.labels_zyx
    prediction = Masks(
        semantic=prediction.semantic.with_labels(np.where(labels == 42, 41, labels)),
        instances=prediction.instances,
    )
    scores = score_kind(KIND["vertebra"], reference, prediction)[0]
    measures = score_parts(reference, prediction, scores)
    for name in ("arcus", "spinous process"):
        assert value(measures, Item("part", name), "dsc") == 0.0
    assert value(measures, Item("part", "posterior elements"), "dsc") == 1.0
