from pathlib import Path

import numpy as np
import pytest

from app.research.evaluation.cohort import comparisons, score_folders, summaries, totals
from app.research.evaluation.measures import Item, Masks
from app.research.evaluation.regions import Region
from operators.errors import UnreadableInputError
from operators.imaging.volume import LabelMap
from tests.builders.spine_boxes import spine_boxes, without, write_derivatives

WHOLE_RQ = ("detection", Region.WHOLE, "rq")


def folders(tmp_path: Path, **methods: dict[str, Masks]) -> list[Path]:
    return [write_derivatives(tmp_path / name, cases) for name, cases in methods.items()]


def test_a_case_without_a_prediction_counts_as_nothing_found(tmp_path: Path):
    reference, prediction = folders(
        tmp_path, ref={"a": spine_boxes(), "b": spine_boxes()}, ours={"a": spine_boxes()}
    )
    scores = score_folders(reference, prediction, "ours")
    assert scores.missing == ("b",)
    found = summaries(scores)
    assert found[Item("structure", "canal"), "dsc"].mean == pytest.approx(0.5)
    assert found[Item("detection", "vertebra"), "rq"].mean == pytest.approx(0.5)
    assert found[Item("structure", "canal"), "assd_mm"].undefined == 1
    counts = totals(scores)
    assert [counts[Item("detection", "vertebra"), m] for m in ("tp", "fp", "fn")] == [4, 0, 4]


def test_a_prediction_without_a_reference_is_named_and_not_scored(tmp_path: Path):
    reference, prediction = folders(
        tmp_path, ref={"a": spine_boxes()}, ours={"a": spine_boxes(), "z": spine_boxes()}
    )
    scores = score_folders(reference, prediction, "ours")
    assert scores.without_reference == ("z",)
    assert list(scores.cases) == ["a"]


def test_a_case_on_another_grid_is_refused_by_reason_and_stops_no_other(tmp_path: Path):
    good = spine_boxes()
    moved = good.semantic.affine_lps.copy()
    moved[:3, 3] += 0.4
    bad = Masks(semantic=LabelMap(good.semantic.labels_zyx, moved))
    reference, prediction = folders(
        tmp_path, ref={"a": good, "b": good}, ours={"a": bad, "b": good}
    )
    told: list[tuple[int, int]] = []
    scores = score_folders(
        reference, prediction, "ours", lambda done, total: told.append((done, total))
    )
    assert list(scores.cases) == ["b"]
    assert scores.refused["a"].startswith("different_grids: SPN-1200")
    assert told == [(1, 2), (2, 2)]


def test_folders_without_a_common_name_are_refused(tmp_path: Path):
    reference, prediction = folders(tmp_path, ref={"a": spine_boxes()}, ours={"b": spine_boxes()})
    with pytest.raises(UnreadableInputError) as caught:
        score_folders(reference, prediction, "ours")
    assert caught.value.reasons == ("no_pairs",)


def test_what_no_reference_contains_is_not_scored(tmp_path: Path):
    labels = spine_boxes().semantic.labels_zyx
    bodies_only = Masks(
        semantic=spine_boxes().semantic.with_labels(np.where(labels == 49, labels, 0)),
        instances=spine_boxes().instances.with_labels(
            np.where(labels == 49, spine_boxes().instances.labels_zyx, 0)
        ),
    )
    reference, prediction = folders(tmp_path, ref={"a": bodies_only}, ours={"a": spine_boxes()})
    names = {(i.scope, i.name) for i, _ in score_folders(reference, prediction, "ours").values}
    assert ("structure", "canal") not in names
    assert ("detection", "disc") not in names
    assert ("part", "spinous process") not in names
    assert {("structure", "corpus"), ("detection", "corpus"), ("part", "corpus")} <= names


def test_a_structure_in_one_reference_is_scored_wherever_it_is_predicted(tmp_path: Path):
    labels = spine_boxes().semantic.labels_zyx
    no_canal = Masks(semantic=spine_boxes().semantic.with_labels(np.where(labels == 61, 0, labels)))
    reference, prediction = folders(
        tmp_path,
        ref={"a": spine_boxes(), "b": no_canal},
        ours={"a": spine_boxes(), "b": spine_boxes()},
    )
    found = summaries(score_folders(reference, prediction, "ours"))
    assert found[Item("structure", "canal"), "dsc"].mean == pytest.approx(0.5)


def test_running_numbers_have_neither_levels_nor_regions(tmp_path: Path):
    numbered = spine_boxes(first_number=2)
    reference, prediction = folders(tmp_path, ref={"a": numbered}, ours={"a": spine_boxes()})
    by_level = score_folders(reference, prediction, "ours")
    running = score_folders(reference, prediction, "ours", levels_known=False)
    assert {i.scope for i, _ in by_level.values} - {i.scope for i, _ in running.values} == {"level"}
    assert {i.region for i, _ in running.values} == {Region.WHOLE}
    key = Item("detection", "vertebra"), "rq"
    assert running.values[key] == by_level.values[key] == {"a": 1.0}


def test_two_methods_are_tested_case_by_case(tmp_path: Path):
    truth = {f"c{n}": spine_boxes() for n in range(6)}
    good = {name: spine_boxes(down=1) for name in truth}
    bad = {name: without(spine_boxes(down=2 + n % 3), 20) for n, name in enumerate(truth)}
    reference, first, second = folders(tmp_path, ref=truth, good=good, bad=bad)
    tested = comparisons(
        score_folders(reference, first, "good"), score_folders(reference, second, "bad")
    )
    by_key = {(t.item, t.metric): t for t in tested}
    body = by_key[Item("structure", "corpus"), "dsc"]
    assert body.result.n == 6
    assert body.result.p == pytest.approx(2 / 64)
    assert body.result.effect == 1.0
    assert body.adjusted_p >= body.result.p
    assert by_key[Item("structure", "corpus"), "assd_mm"].result.effect == -1.0
    assert by_key[Item("structure", "canal"), "dsc"].result.p == 1.0
    assert not [t for t in tested if t.item.scope == "level"]


def test_p_is_adjusted_among_the_kinds_of_instances_and_not_over_everything(tmp_path: Path):
    truth = {f"c{n}": spine_boxes() for n in range(6)}
    bad = {name: without(spine_boxes(), 20) for name in truth}
    reference, first, second = folders(tmp_path, ref=truth, good=truth, bad=bad)
    tested = comparisons(
        score_folders(reference, first, "good"), score_folders(reference, second, "bad")
    )
    family = [t for t in tested if (t.item.scope, t.item.region, t.metric) == WHOLE_RQ]
    raw = {t.item.name: t.result.p for t in family}
    assert raw == pytest.approx({"corpus": 1 / 32, "vertebra": 1 / 32, "disc": 1, "endplate": 1})
    assert {t.item.name: t.adjusted_p for t in family} == pytest.approx(
        {"corpus": 4 / 32, "vertebra": 4 / 32, "disc": 1, "endplate": 1}
    )


def test_an_error_says_which_of_the_folders_is_meant(tmp_path: Path):
    truth = write_derivatives(tmp_path / "truth", {"a": spine_boxes()})
    with pytest.raises(UnreadableInputError, match="predictions 'unet' is missing"):
        score_folders(truth, tmp_path / "typo", "unet")
    with pytest.raises(UnreadableInputError, match="references is missing"):
        score_folders(tmp_path / "typo", truth, "unet")
