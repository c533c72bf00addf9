import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from operators.errors import ModelUnusableError
from operators.networks.inference_config import (
    READ_AND_IGNORED,
    InferenceConfig,
    find_config,
    read_config,
)

REQUIRED: dict[str, Any] = {
    "log_name": "T2w",
    "modality": ["T2w"],
    "acquisition": "sag",
    "modeltype": "nnunet",
    "model_expected_orientation": ["P", "I", "R"],
    "available_folds": 3,
    "inference_augmentation": False,
    "resolution_range": [0.75, 0.75, 1.65],
    "default_step_size": 0.5,
    "labels": {"1": "Arcus_Vertebrae", "2": "S1", "3": "26", "4": 49},
}


def write(folder: Path, **changes: object) -> Path:
    path = folder / "inference_config.json"
    content = {key: value for key, value in {**REQUIRED, **changes}.items() if value is not None}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_names_vertebrae_strings_and_numbers_are_labels(tmp_path: Path) -> None:
    assert read_config(write(tmp_path)).labels == {1: 41, 2: 26, 3: 26, 4: 49}


def test_the_optional_keys_have_spinepss_defaults(tmp_path: Path) -> None:
    config = read_config(write(tmp_path))
    assert config.cutout_size_zyx == (64, 304, 248)
    assert (config.corpus_size_cleaning, config.vert_size_threshold) == (100, 250)
    assert (config.sacrum_ids, config.metal, config.expected_inputs) == ((26,), (80,), ("img",))
    assert config.mapping[41] == 1
    assert config.mapping[51] == config.mapping[49] == 9
    assert config.mapping[26] == 0


@pytest.mark.parametrize(
    ("folds", "expected"),
    [(1, ("0",)), (3, ("0", "1", "2")), ("all", ("all",)), ([0, "2"], ("0", "2"))],
)
def test_folds_are_a_number_a_name_or_a_list(
    folds: object, expected: tuple[str, ...], tmp_path: Path
) -> None:
    assert read_config(write(tmp_path, available_folds=folds)).available_folds == expected


def test_a_fixed_resolution_replaces_any_native_spacing(tmp_path: Path) -> None:
    config = read_config(write(tmp_path))
    assert config.target_spacing_zyx_mm((4.0, 0.3, 2.0)) == (1.65, 0.75, 0.75)
    assert config.smallest_spacing_zyx_mm == (1.65, 0.75, 0.75)


def test_a_resolution_pair_clamps_the_native_spacing_axis_by_axis(tmp_path: Path) -> None:
    pair = [[0.5, 0.6, 1.0], [0.9, 0.9, 3.3]]
    config = read_config(write(tmp_path, resolution_range=pair))
    assert config.target_spacing_zyx_mm((4.0, 0.3, 0.7)) == (3.3, 0.6, 0.7)
    assert config.target_spacing_zyx_mm((0.5, 2.0, 0.2)) == (1.0, 0.9, 0.5)


@pytest.mark.parametrize("key", [*sorted(READ_AND_IGNORED), "zebra"])
def test_a_key_that_steers_nothing_here_changes_nothing(key: str, tmp_path: Path) -> None:
    plain = read_config(write(tmp_path))
    assert read_config(write(tmp_path, **{key: 77})) == plain


def test_keys_are_either_read_or_ignored() -> None:
    # What SPINEPS 2.1.3 knows (`Segmentation_Inference_Config`), and five keys of this product.
    ours = {
        "mirror_left_right",
        "confidence_temperature",
        "largest_tile",
        "interleaves_thin_slices",
        "border_voxels",
    }
    known = {field.name for field in fields(InferenceConfig)} | READ_AND_IGNORED.keys()
    assert known - ours == {
        *REQUIRED,
        "expected_inputs",
        "has_c1",
        "needs_corp",
        "sacrum_ids",
        "cutout_size",
        "corpus_size_cleaning",
        "corpus_border_threshold",
        "vert_size_threshold",
        "metal",
        "mapping",
    }


@pytest.mark.parametrize("key", sorted(REQUIRED))
def test_every_required_key_is_missed_by_name(key: str, tmp_path: Path) -> None:
    with pytest.raises(ModelUnusableError, match=key) as caught:
        read_config(write(tmp_path, **{key: None}))
    assert caught.value.reasons == ("config_key_missing",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("log_name", 5),
        ("model_expected_orientation", ["P", "A", "R"]),
        ("model_expected_orientation", ["P", "I"]),
        ("model_expected_orientation", ["P", "I", "Q"]),
        ("available_folds", 0),
        ("available_folds", "../x"),
        ("inference_augmentation", "false"),
        ("resolution_range", [0.75, 0.75]),
        ("resolution_range", [0.75, 0, 1]),
        ("resolution_range", [[1, 1, 1], [1, 0.5, 1]]),
        ("default_step_size", 0),
        ("largest_tile", -1),
        ("border_voxels", 4),
        ("border_voxels", [4, 4, -1]),
        ("labels", [1, 2]),
        ("cutout_size", [248, 0, 64]),
        ("has_c1", 1),
        ("sacrum_ids", [26.5]),
        ("corpus_size_cleaning", -1),
    ],
)
def test_an_invalid_value_is_refused_and_its_key_named(
    key: str, value: object, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnusableError, match=key) as caught:
        read_config(write(tmp_path, **{key: value}))
    assert caught.value.reasons == ("config_value_invalid",)


@pytest.mark.parametrize("text", ["{", "[1]", "\udcff"])
def test_a_file_that_is_no_json_table_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "inference_config.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelUnusableError) as caught:
        read_config(path)
    assert caught.value.reasons == ("config_unreadable",)


def test_the_config_is_found_two_folders_deep_and_beside_a_macos_shadow(tmp_path: Path) -> None:
    inner = tmp_path / "wrapped" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    inner.mkdir(parents=True)
    (tmp_path / "__MACOSX").mkdir()
    write(tmp_path / "__MACOSX")
    (inner / "._inference_config.json").write_text("shadow")
    write(inner)
    (inner / "inference_config.json").rename(inner / "T2w_inference_config.json")
    assert find_config(tmp_path) == inner / "T2w_inference_config.json"


def test_no_config_two_configs_and_no_folder_are_told_apart(tmp_path: Path) -> None:
    def reason(folder: Path) -> tuple[str, ...]:
        with pytest.raises(ModelUnusableError) as caught:
            find_config(folder)
        return caught.value.reasons

    assert reason(tmp_path / "none") == ("model_folder_missing",)
    assert reason(tmp_path) == ("config_missing",)
    (tmp_path / "other").mkdir()
    write(tmp_path)
    write(tmp_path / "other")
    assert reason(tmp_path) == ("several_configs",)
