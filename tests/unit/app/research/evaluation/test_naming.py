"""How many vertebrae are found and called rightly, from the files that a run leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.research.evaluation.measures import InstanceScore, Masks
from app.research.evaluation.naming import NAMING, names_beside, names_in_labels, score_names
from app.research.evaluation.scoring import score_case
from operators.imaging.volume import LabelMap

L3, L4, L5 = 22, 23, 24


def score(reference: int | None, prediction: int | None) -> InstanceScore:
    outcome = "missed" if prediction is None else "extra" if reference is None else "matched"
    return InstanceScore(
        kind="vertebra", outcome=outcome, reference=reference, prediction=prediction, region=None
    )


def values(scores: list[InstanceScore], names: dict[int, str]) -> dict[str, float]:
    return {measure.metric: measure.value for measure in score_names(scores, names)}


def test_shares_are_of_the_references_vertebrae():
    scores = [score(L3, 7), score(L4, 8), score(L5, 9), score(21, None), score(None, 6)]
    names = {6: "L2", 7: "L3", 8: "probably L4", 9: "L6"}
    # L3 and L4 of four are called rightly, one of them with reserve; L5 is called L6.
    assert values(scores, names) == {"identified": 0.5, "stated": 0.5, "stated_wrong": 0.25}


def test_a_vertebra_without_a_name_is_not_identified():
    assert values([score(L4, 8), score(L5, 9)], {8: "L4"})["identified"] == 0.5


@pytest.mark.parametrize(("scores", "names"), [([], {8: "L4"}), ([score(L4, 8)], {})])
def test_without_names_or_vertebrae_there_is_nothing_to_say(
    scores: list[InstanceScore], names: dict[int, str]
):
    assert score_names(scores, names) == []


def test_labels_of_segments_name_vertebrae_and_nothing_else():
    labels = {
        1: "vertebra 8 (L4)",
        2: "vertebra 9 (probably L5)",
        3: "disc below vertebra 8 (L4)",
        4: "vertebra 10",
        5: "sacrum",
    }
    assert names_in_labels(labels) == {8: "L4", 9: "probably L5"}


def test_a_nifti_masks_names_lie_in_the_centroid_file(tmp_path: Path):
    mask = tmp_path / "sub-1_mod-T2w_seg-vert_msk.nii.gz"
    beside = tmp_path / "sub-1_mod-T2w_seg-spine_ctd.json"
    assert names_beside(mask) == {}
    levels = {"8": {"text": "L4"}, "9": {"text": "probably L5"}, "10": {"text": "level uncertain"}}
    beside.write_text(json.dumps([{"direction": ["P", "I", "R"], "levels": levels}]), "utf-8")
    assert names_beside(mask) == {8: "L4", 9: "probably L5"}
    for other in ("no JSON", "[]", '[{"direction": []}]', '[{"levels": [1]}]'):
        beside.write_text(other, "utf-8")
        assert names_beside(mask) == {}


def test_a_case_with_names_has_them_in_its_measures():
    labels = np.zeros((2, 8, 2), np.uint16)
    labels[:, :3], labels[:, 4:7] = L4, L5
    truth = Masks(instances=LabelMap(labels, np.eye(4)))
    guess = Masks(
        instances=LabelMap(np.where(labels, labels - 15, 0).astype(np.uint16), np.eye(4)),
        names={8: "L4", 9: "L6"},
    )
    found = {m.metric: m.value for m in score_case(truth, guess).measures if m.item == NAMING}
    assert found == {"identified": 0.5, "stated": 1.0, "stated_wrong": 0.5}
