"""How many vertebrae are found and called rightly, from the files that a run leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.research.evaluation.measures import InstanceScore, Masks
from app.research.evaluation.naming import (
    NAMING,
    names_beside,
    names_in_labels,
    score_names,
)
from app.research.evaluation.pairing import CaseFiles
from app.research.evaluation.reading import read_prediction, read_reference
from app.research.evaluation.scoring import score_case
from operators.anatomy.vertebrae import LEVEL_NAMES
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.segmentation import encode_segmentations
from operators.imaging.volume import LabelMap
from tests.builders.mr_series import make_series
from tests.builders.results import CONTEXT, label_maps, volume_of

L3, L4, L5 = 22, 23, 24


def score(reference: int | None, prediction: int | None) -> InstanceScore:
    outcome = "missed" if prediction is None else "extra" if reference is None else "matched"
    return InstanceScore(
        kind="vertebra", outcome=outcome, reference=reference, prediction=prediction, region=None
    )


def values(scores: list[InstanceScore], names: dict[int, str]) -> dict[str, float]:
    return {measure.metric: measure.value for measure in score_names(scores, names, LEVEL_NAMES)}


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
    assert score_names(scores, names, LEVEL_NAMES) == []


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


@pytest.fixture(scope="module")
def unnamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The instances of one series, vertebrae 2 to 4, as a SEG without levels."""
    folder = tmp_path_factory.mktemp("object")
    volume = volume_of(make_series(folder / "mr"))
    objects = encode_segmentations(*label_maps(volume), volume, CONTEXT)
    write_dataset(objects[1], folder / "x_instances.dcm")
    return folder / "x_instances.dcm"


def renamed(source: Path, target: Path, vertebra: int, label: str, *, keyword: str = "") -> Path:
    """Copy an object with another label of a vertebra, and the code of L4 where a keyword says."""
    seg = pydicom.dcmread(source)
    (segment,) = (s for s in seg.SegmentSequence if s.SegmentLabel == f"vertebra {vertebra}")
    segment.SegmentLabel = label
    if keyword:
        segment[keyword].value[0].CodeValue = "11994002"  # CID 7603: L4 vertebra
    seg.save_as(target)
    return target


def rates(reference: Path, prediction: Path) -> dict[str, float]:
    truth = read_reference(CaseFiles(instances=reference))
    found = score_case(truth, read_prediction(CaseFiles(instances=prediction), truth))
    return {m.metric: m.value for m in found.measures if m.item == NAMING}


def test_a_reference_that_is_a_segmentation_object_has_the_levels_that_it_names(
    unnamed: Path, tmp_path: Path
):
    truth, guess = tmp_path / "truth.dcm", tmp_path / "guess.dcm"
    renamed(unnamed, truth, 2, "vertebra 2 (L3)")
    renamed(truth, truth, 3, "vertebra 3 (L4)")
    renamed(truth, truth, 4, "vertebra 4 (probably L5)")
    renamed(unnamed, guess, 2, "vertebra 2 (L3)")
    renamed(guess, guess, 3, "vertebra 3 (L3)")
    renamed(guess, guess, 4, "vertebra 4 (L5)")
    # "Probably L5" is no reference: of two known vertebrae, one is called rightly.
    assert rates(truth, guess) == {"identified": 0.5, "stated": 1.0, "stated_wrong": 0.5}


def test_a_segmentation_object_without_names_is_no_reference_of_names(
    unnamed: Path, tmp_path: Path
):
    guess = renamed(unnamed, tmp_path / "guess.dcm", 2, "vertebra 2 (L3)")
    assert rates(unnamed, guess) == {}


@pytest.mark.parametrize(
    ("label", "keyword"),
    [
        ("L4", ""),
        ("vertebrae_L4", ""),
        ("Fourth lumbar", "SegmentedPropertyTypeCodeSequence"),
        ("vertebra 3", "AnatomicRegionSequence"),
    ],
)
def test_another_programs_vertebra_is_known_by_its_words_or_its_code(
    unnamed: Path, tmp_path: Path, label: str, keyword: str
):
    truth = renamed(unnamed, tmp_path / "truth.dcm", 3, label, keyword=keyword)
    guess = renamed(unnamed, tmp_path / "guess.dcm", 3, "vertebra 3 (L4)")
    assert rates(truth, guess)["identified"] == 1.0
    assert set(read_reference(CaseFiles(instances=truth)).names.values()) == {"L4"}
