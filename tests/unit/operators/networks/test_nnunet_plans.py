import json
from pathlib import Path
from typing import Any

import pytest

from operators.errors import ModelUnusableError
from operators.networks.nnunet_plans import read_plans
from tests.builders.nnunet_folder import Recipe, write_folder


def change(folder: Path, name: str, **changes: Any) -> None:  # any JSON
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_both_styles_of_plans_describe_the_same_network(tmp_path: Path) -> None:
    old = read_plans(write_folder(tmp_path / "old"), "3d_fullres")
    new = read_plans(write_folder(tmp_path / "new", Recipe(style="new")), "3d_fullres")
    assert old.architecture.network_class == new.architecture.network_class == "PlainConvUNet"
    for key in ("n_stages", "features_per_stage", "strides", "kernel_sizes", "n_conv_per_stage"):
        assert old.architecture.arguments[key] == new.architecture.arguments[key]
    assert old.patch_size == (8, 16, 16)
    assert old.spacing_mm == (3.0, 1.0, 1.0)
    assert (old.heads, old.channels, old.regions_class_order) == (4, 1, None)


def test_an_heir_overwrites_what_it_inherits(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, Recipe(inherits=True))
    assert read_plans(folder, "3d_heir").patch_size == (8, 16, 16)
    assert read_plans(folder, "3d_fullres").patch_size == (99, 99, 99)


def test_the_ignore_label_and_the_background_of_regions_have_no_head(tmp_path: Path) -> None:
    labels = {"background": 0, "body": 1, "disc": 2, "ignore": 3}
    folder = write_folder(tmp_path / "a", Recipe(dataset={"labels": labels}))
    assert read_plans(folder, "3d_fullres").heads == 3
    regions = {"background": 0, "whole": [1, 2], "disc": 2}
    dataset = {"labels": regions, "regions_class_order": [1, 2]}
    plans = read_plans(write_folder(tmp_path / "b", Recipe(dataset=dataset)), "3d_fullres")
    assert (plans.heads, plans.regions_class_order) == (2, (1, 2))


def test_old_features_double_up_to_the_maximum(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    plans = json.loads((folder / "plans.json").read_text())
    plans["configurations"]["3d_fullres"] |= {
        "conv_kernel_sizes": [[3, 3, 3]] * 5,
        "UNet_base_num_features": 32,
        "unet_max_num_features": 320,
    }
    (folder / "plans.json").write_text(json.dumps(plans))
    found = read_plans(folder, "3d_fullres").architecture.arguments["features_per_stage"]
    assert found == [32, 64, 128, 256, 320]


def test_whether_slices_are_picked_may_be_said_of_images_and_of_logits(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    assert read_plans(folder, "3d_fullres").separate_slices == (None, None)
    plans = json.loads((folder / "plans.json").read_text())
    plans["configurations"]["3d_fullres"] |= {
        "resampling_fn_data_kwargs": {"force_separate_z": False},
        "resampling_fn_probabilities_kwargs": {"force_separate_z": True},
    }
    (folder / "plans.json").write_text(json.dumps(plans))
    assert read_plans(folder, "3d_fullres").separate_slices == (False, True)
    plans["configurations"]["3d_fullres"]["resampling_fn_data_kwargs"] = {"force_separate_z": 1}
    (folder / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(ModelUnusableError) as caught:
        read_plans(folder, "3d_fullres")
    assert caught.value.reasons == ("plans_incomplete",)


def test_intensity_properties_may_have_their_older_name(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    plans = json.loads((folder / "plans.json").read_text())
    plans["foreground_intensity_properties_by_modality"] = plans.pop(
        "foreground_intensity_properties_per_channel"
    )
    (folder / "plans.json").write_text(json.dumps(plans))
    assert read_plans(folder, "3d_fullres").intensity_properties[0]["mean"] == 100.0


@pytest.mark.parametrize(
    ("changes", "configuration", "reason"),
    [
        ({}, "3d_lowres", "plans_configuration_missing"),
        ({"configurations": None}, "3d_fullres", "plans_incomplete"),
        ({"configurations": {"a": {"inherits_from": "a"}}}, "a", "plans_incomplete"),
        ({"configurations": {"a": {"inherits_from": "b"}}}, "a", "plans_configuration_missing"),
        ({"configurations": {"a": {"patch_size": [64, 64]}}}, "a", "plans_not_3d"),
        ({"configurations": {"a": {"patch_size": [8, 8, 8]}}}, "a", "plans_incomplete"),
    ],
)
def test_broken_plans_are_refused_by_name(
    changes: dict[str, Any], configuration: str, reason: str, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path)
    change(folder, "plans.json", **changes)
    with pytest.raises(ModelUnusableError) as caught:
        read_plans(folder, configuration)
    assert caught.value.reasons == (reason,)


@pytest.mark.parametrize("name", ["plans.json", "dataset.json"])
@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_missing_and_garbled_files_are_refused_by_name(
    name: str, text: str | None, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path)
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(ModelUnusableError) as caught:
        read_plans(folder, "3d_fullres")
    assert caught.value.reasons == ("plans_unreadable",)
