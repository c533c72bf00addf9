import csv
import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from app.cli.annotation import annotate
from app.errors import ConfigurationError
from app.research.annotation.recipe import read_recipe
from app.research.training.dataset_layouts import find_annotated
from operators.errors import UnreadableInputError
from operators.imaging.nifti import write_label_map, write_volume
from operators.imaging.volume import LabelMap, Volume
from tests.builders.spine_boxes import spine_boxes

APP = typer.Typer()
APP.command()(annotate)

RECIPE = """
sources:
  - {name: cord tool, masks: cord, take: [cord], labels: cord.json, optional: true}
  - {name: bodies, masks: bodies, take: [corpus, disc, canal]}
  - {name: parts, masks: parts, take: [posterior elements, corpus]}
crop_margin_mm: 6
exclude: {fewer_bodies_than: 3}
"""
SPINE = spine_boxes().semantic  # endplates of 2 mm between body and disc


def only(*labels: int) -> LabelMap:
    return SPINE.with_labels(np.where(np.isin(SPINE.labels_zyx, labels), SPINE.labels_zyx, 0))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for subject in ("sub-1", "sub-2", "sub-3"):
        folder = tmp_path / "images" / subject / "anat"
        folder.mkdir(parents=True)
        voxels = rng.uniform(100, 900, SPINE.labels_zyx.shape).astype(np.float32)
        write_volume(Volume(voxels, SPINE.affine_lps), folder / f"{subject}_T2w.nii.gz")
    for name in ("bodies", "parts", "cord"):
        (tmp_path / name).mkdir()
    for subject in ("sub-1", "sub-2"):
        bodies = only(49, 100, 61)
        if subject == "sub-2":  # a single body
            bodies.labels_zyx[:, 26:] = 0
        write_label_map(bodies, tmp_path / "bodies" / f"{subject}_seg-spine_msk.nii.gz")
        parts = only(42) if subject == "sub-2" else only(42, 49)
        write_label_map(parts, tmp_path / "parts" / f"{subject}_mod-T2w_seg-spine_msk.nii.gz")
    cord = np.zeros_like(SPINE.labels_zyx)
    cord[4:6, :, 34:36] = 1
    write_label_map(SPINE.with_labels(cord), tmp_path / "cord" / "sub-1_T2w.nii.gz")
    (tmp_path / "cord.json").write_text('{"labels": {"background": 0, "cord": 1}}', "utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, "utf-8")
    return tmp_path


def run(data: Path) -> tuple[int, list[dict[str, str]]]:
    paths = (str(data / "images"), "--recipe", str(data / "recipe.yaml"), "-o", str(data / "out"))
    result = CliRunner().invoke(APP, list(paths))
    with (data / "out" / "annotation.csv").open(encoding="utf-8") as file:
        return result.exit_code, list(csv.DictReader(file))


def test_cases_are_annotated_excluded_by_rule_or_fail_by_name(data: Path) -> None:
    code, rows = run(data)
    assert code == 0
    assert [(row["case"], row["status"], row["reasons"]) for row in rows] == [
        ("sub-1_T2w", "annotated", ""),
        ("sub-2_T2w", "excluded", "fewer_bodies_than: 1"),
        ("sub-3_T2w", "failed", "missing_source"),
    ]


def test_what_is_written_is_a_data_set_for_training_that_says_what_came_whence(data: Path) -> None:
    run(data)
    (entry,) = find_annotated(data / "out", "bids")
    mask, image = nib.load(entry.semantic), nib.load(entry.image)
    assert mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, image.affine, atol=1e-4)
    found = dict(enumerate(np.bincount(np.asarray(mask.dataobj).ravel()).tolist()))
    truth = SPINE.labels_zyx
    assert found[49] == np.sum(truth == 49)
    below_discs = 3 * (3 * 20 * 6)  # of 3 discs with a body below: 3 mm that the truth leaves open
    assert found[62] == np.sum(truth == 62) + below_discs
    assert found[60] + found[61] == np.sum(truth == 61)
    about = json.loads(Path(str(entry.semantic).replace(".nii.gz", ".json")).read_text("utf-8"))
    assert about["Origins"] == {"1": "cord tool", "2": "bodies", "3": "parts", "255": "filled"}
    voxels = about["VoxelsByOriginAndLabel"]
    assert voxels["filled"] == {"62": found[62]}
    assert voxels["bodies"]["49"] == found[49]
    assert voxels["parts"] == {"42": found[42]}
    assert about["ContestedVoxels"] == found[60]
    origins = nib.load(str(entry.semantic).replace("seg-spine", "seg-origin"))
    assert np.sum(np.asarray(origins.dataobj) == 255) == found[62]
    # Columns 10 to 49 and 6 mm on either side; rows and slices are labelled to the end.
    assert image.shape == (40 + 2 * 6, SPINE.labels_zyx.shape[1], SPINE.labels_zyx.shape[0])


def test_a_recipe_says_what_is_wrong_in_it(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    for text, told in (
        ("sources: []", "sources"),
        ("sources: [{name: a, masks: m, take: [liver]}]", "no structure 'liver'"),
        ("sources: [{name: a, masks: m, take: [disc], colour: red}]", "colour"),
        (
            "sources: [{name: a, masks: m, take: [disc]}, {name: a, masks: n, take: [cord]}]",
            "one name",
        ),
        ("sources: [", "YAML"),
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(ConfigurationError, match=told) as caught:
            read_recipe(file)
        assert caught.value.reasons == ("bad_recipe",)


def test_a_source_whose_folder_is_missing_is_named_before_anything_is_read(data: Path) -> None:
    (data / "recipe.yaml").write_text("sources: [{name: a, masks: nowhere, take: [disc]}]", "utf-8")
    paths = (str(data / "images"), "--recipe", str(data / "recipe.yaml"), "-o", str(data / "out"))
    result = CliRunner().invoke(APP, list(paths))
    assert isinstance(result.exception, UnreadableInputError)
    assert "source 'a'" in str(result.exception)


def test_masks_on_another_grid_are_refused_unless_the_recipe_says_resample(data: Path) -> None:
    moved = SPINE.affine_lps.copy()
    moved[:3, 3] += 0.4
    write_label_map(
        LabelMap(only(42).labels_zyx, moved), data / "parts" / "sub-1_mod-T2w_seg-spine_msk.nii.gz"
    )
    assert run(data)[1][0]["reasons"] == "different_grids"
    text = RECIPE.replace("take: [posterior", "resample: true, take: [posterior")
    (data / "recipe.yaml").write_text(text, "utf-8")
    assert run(data)[1][0]["status"] == "annotated"


def test_the_recipe_of_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[5] / "docs" / "researcher.md").read_text("utf-8")
    (recipe,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (scheme,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (tmp_path / "recipe.yaml").write_text(recipe, "utf-8")
    (tmp_path / "cord.json").write_text(scheme, "utf-8")
    read = read_recipe(tmp_path / "recipe.yaml")
    assert [source.name for source in read.sources] == [
        *("cord tool", "body network", "translated CT", "canal"),
    ]
    assert read.sources[0].scheme.name == "mine"
