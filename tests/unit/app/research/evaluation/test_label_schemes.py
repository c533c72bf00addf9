import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from app.research.evaluation.label_schemes import LabelScheme
from app.research.evaluation.measures import Masks
from app.research.evaluation.pairing import CaseFiles, find_cases
from app.research.evaluation.reading import read_prediction, read_reference
from app.research.evaluation.scheme_files import read_scheme, shipped_schemes
from app.research.evaluation.scoring import score_case
from operators.errors import UnreadableInputError
from operators.imaging.nifti import write_label_map
from operators.imaging.volume import LabelMap
from tests.builders.spine_boxes import spine_boxes


def map_of(*numbers: int) -> LabelMap:
    return LabelMap(np.array([[numbers]], np.uint16), np.eye(4))


def read(scheme: LabelScheme, *numbers: int) -> tuple[list[int] | None, list[int] | None]:
    masks = scheme.read(map_of(*numbers))
    return tuple(
        None if each is None else each.labels_zyx.ravel().tolist()
        for each in (masks.semantic, masks.instances)
    )


def test_every_shipped_scheme_is_read_and_says_vertebrae() -> None:
    assert shipped_schemes() == ("spider", "totalspineseg", "verse")
    for name in shipped_schemes():
        assert "vertebra" in read_scheme(Path(name)).tells


def test_totalspineseg_numbers_are_levels_with_the_disc_below() -> None:
    # C2, T12, L5, C2/C3, T11/T12, T12/L1, L5/S, cord, canal, sacrum
    numbers = (12, 32, 45, 63, 82, 91, 100, 1, 2, 50)
    semantic, instances = read(read_scheme(Path("totalspineseg")), *numbers)
    assert semantic == [40, 40, 40, 100, 100, 100, 100, 60, 61, 26]
    assert instances == [2, 19, 24, 102, 118, 119, 124, 0, 0, 26]


def test_spider_numbers_are_running_and_its_canal_holds_the_cord() -> None:
    scheme = read_scheme(Path("spider"))
    semantic, instances = read(scheme, 1, 103, 201, 100)
    assert instances == [1, 3, 101, 0]
    assert semantic == [40, 40, 100, 60]
    assert scheme.numbers == "running"
    assert scheme.tells == {"vertebra", "disc", "canal and cord"}


def test_verse_numbers_stay_and_the_coccyx_is_not_scored() -> None:
    assert read(read_scheme(Path("verse")), 20, 28, 26, 27)[1] == [20, 28, 26, 0]


@pytest.mark.parametrize(
    ("told", "can", "cannot"),
    [
        ({1: "canal", 2: "cord"}, {"canal", "cord", "canal and cord"}, {"disc"}),
        ({1: "canal and cord"}, {"canal and cord"}, {"canal", "cord"}),
        ({1: "corpus"}, {"corpus"}, {"vertebra"}),
        ({1: "corpus", 2: "posterior elements"}, {"corpus", "vertebra"}, {"arcus"}),
        ({1: "vertebra"}, {"vertebra"}, {"corpus", "posterior elements"}),
        ({1: "52", 2: "53"}, {"endplate"}, {"disc"}),
    ],
)
def test_only_what_the_scheme_says_exactly_is_scored(
    told: dict[int, str], can: set[str], cannot: set[str]
) -> None:
    tells = LabelScheme("x", told, {}, frozenset(told), "running").tells
    assert can <= tells
    assert not cannot & tells


def test_a_number_that_the_scheme_does_not_have_is_refused() -> None:
    with pytest.raises(
        UnreadableInputError, match="203, which the label scheme 'TotalSpineSeg'"
    ) as e:
        read_scheme(Path("totalspineseg")).read(map_of(0, 11, 203))
    assert e.value.reasons == ("foreign_labels",)


def written(folder: Path, document: object) -> Path:
    (folder / "map.json").write_text(json.dumps(document), "utf-8")
    return folder / "map.json"


def test_the_labels_of_an_nnunet_data_set_are_read_by_name(tmp_path: Path) -> None:
    labels = {
        "background": 0,
        "Vertebra_Corpus_border": 1,
        "Sacrum_26": 2,
        "disc": 3,
        "Endplate": 4,
    }
    scheme = read_scheme(written(tmp_path, {"name": "Dataset007", "labels": labels}))
    assert scheme.name == "Dataset007"
    first_version = {str(number): name for name, number in labels.items()}
    older = read_scheme(written(tmp_path, {"name": "Task007", "labels": first_version}))
    assert (older.structures, older.known) == (scheme.structures, scheme.known)
    assert read(scheme, 0, 1, 2, 3, 4) == ([0, 49, 26, 100, 62], None)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"labels": {"background": 0, "liver": 1}}, "'liver' is the name of no structure"),
        ({"labels": {"background": 0, "spine": [1, 2]}}, "spine: regions"),
        ({"scheme": "x", "labels": {"1-x": {}}}, "'1-x' is no number"),
        ({"scheme": "x", "labels": {"1-3": {}, "2": {}}}, "stands twice"),
        ({"scheme": "x", "labels": {"1-3": {"instance": "1-2"}}}, "3 numbers, 2 instances"),
        ({"scheme": "x", "labels": {"1": {"instance": "99"}}}, "99 is no instance"),
        ({"scheme": "x", "labels": {"1": {"structure": "liver"}}}, "no structure 'liver'"),
        ({"scheme": "x", "labels": {"1": {"colour": "red"}}}, "labels > 1 > colour"),
        ({"scheme": "x"}, "labels: Field required"),
        ([1], "valid dictionary"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, document: object, told: str) -> None:
    with pytest.raises(UnreadableInputError, match=told) as error:
        read_scheme(written(tmp_path, document))
    assert error.value.reasons == ("bad_scheme",)


def test_an_unknown_scheme_names_those_that_are_known() -> None:
    with pytest.raises(UnreadableInputError, match="spider, totalspineseg, verse") as error:
        read_scheme(Path("nowhere.json"))
    assert error.value.reasons == ("unknown_scheme",)


TOTALSPINESEG_OF = {18: 31, 19: 32, 20: 41, 21: 42, 118: 82, 119: 91, 120: 92, 121: 93}


def test_a_foreign_prediction_is_scored_in_what_it_can_say(tmp_path: Path) -> None:
    ours = spine_boxes()
    foreign = np.zeros_like(ours.instances.labels_zyx)
    for label, number in TOTALSPINESEG_OF.items():
        foreign[ours.instances.labels_zyx == label] = number
    foreign[ours.semantic.labels_zyx == 61] = 2
    write_label_map(ours.instances.with_labels(foreign), tmp_path / "a.nii.gz")
    files = CaseFiles(plain=tmp_path / "a.nii.gz")
    guess = read_prediction(files, ours, read_scheme(Path("totalspineseg")))
    score = score_case(ours, guess)
    dsc = {
        m.item.name: m.value
        for m in score.measures
        if (m.metric, m.item.scope) == ("dsc", "structure") and not np.isnan(m.value)
    }
    assert dsc == dict.fromkeys(("vertebra", "disc", "canal", "canal and cord"), 1.0)
    assert {s.kind for s in score.instances} == {"vertebra", "disc"}
    named = {m.metric: m.value for m in score.measures if m.item.scope == "naming"}
    assert named == {"identified": 1.0, "stated": 1.0, "stated_wrong": 0.0}


def test_where_a_scheme_is_stated_a_case_has_one_mask(tmp_path: Path) -> None:
    files = CaseFiles(semantic=tmp_path / "a.nii", instances=tmp_path / "b.nii")
    with pytest.raises(UnreadableInputError) as error:
        read_prediction(files, Masks(), read_scheme(Path("verse")))
    assert error.value.reasons == ("scheme_needs_one_mask",)


def test_a_mask_of_spider_is_read_as_its_authors_publish_it(tmp_path: Path) -> None:
    ours = spine_boxes(first_number=1)
    numbers = ours.instances.labels_zyx
    spider = np.where(numbers > 200, 0, np.where(numbers > 100, numbers + 100, numbers))
    spider[ours.semantic.labels_zyx == 61] = 100
    image = SimpleITK.GetImageFromArray(spider.astype(np.uint8))
    affine = ours.instances.affine_lps
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing[::-1].tolist())
    image.SetDirection((affine[:3, :3] / spacing)[:, ::-1].ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(tmp_path / "1_t2.mha"))
    truth = read_reference(find_cases(tmp_path)["1_t2"], read_scheme(Path("spider")))
    score = score_case(truth, ours)
    matched = {(s.kind, s.outcome) for s in score.instances}
    assert matched == {("vertebra", "matched"), ("disc", "matched")}
