import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from operators.errors import IntensityError, InterruptedRunError, ModelUnusableError
from operators.imaging.intensity import prepare
from operators.imaging.orientation import axis_codes
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.volume import Volume
from operators.networks.semantic import SemanticModel, load_semantic_model
from tests.builders.nnunet_folder import Recipe, network, write_folder


def image(shape: tuple[int, int, int] = (12, 30, 26)) -> Volume:
    """On the grid of the tiny models (PIR, 3 x 1 x 1 mm)."""
    rng = np.random.default_rng(4)
    voxels = rng.uniform(100, 900, shape).astype(np.float32)
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = -3.0, -1.0, 1.0, 1.0
    return Volume(voxels, affine)


def by_hand(recipe: Recipe, voxels: NDArray[np.float32], seeds: tuple[int, ...]) -> NDArray[Any]:
    """Mean logits of one tile that holds the whole image, in PyTorch's own layers."""
    normal = torch.from_numpy((voxels - voxels.mean()) / voxels.std())[None, None]
    with torch.inference_mode():
        return sum(network(recipe, seed)(normal) for seed in seeds)[0].numpy()  # type: ignore[no-any-return,index,union-attr]


def reasons_of(folder: Path) -> tuple[str, ...]:
    with pytest.raises(ModelUnusableError) as caught:
        load_semantic_model(folder)
    return caught.value.reasons


@pytest.mark.parametrize("style", ["old", "new"])
@pytest.mark.parametrize("kind", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_one_tile_is_labelled_as_the_network_computes_by_hand(
    style: str, kind: str, tmp_path: Path
) -> None:
    recipe = Recipe(style=style, network=kind)
    model = load_semantic_model(write_folder(tmp_path, recipe))
    volume = image((8, 16, 16))
    found = model.predict_on_model_grid(volume).labels_zyx
    expected = np.array([0, 49, 100, 26])[by_hand(recipe, volume.voxels_zyx, (0,)).argmax(0)]
    assert (found == expected).mean() > 0.999
    assert len(np.unique(found)) > 1
    assert found.dtype == np.uint8


def test_the_logits_of_3_folds_are_averaged(tmp_path: Path) -> None:
    recipe = Recipe(folds=("0", "1", "2"))
    model = load_semantic_model(write_folder(tmp_path, recipe))
    volume = image((8, 16, 16))
    found = model.predict_on_model_grid(volume).labels_zyx
    logits = by_hand(recipe, volume.voxels_zyx, (0, 1, 2))
    assert (found == np.array([0, 49, 100, 26])[logits.argmax(0)]).mean() > 0.999


def test_3_folds_vote_on_every_voxel_and_the_labels_stay_those_of_their_mean(
    tmp_path: Path,
) -> None:
    recipe = Recipe(folds=("0", "1", "2"), config={"confidence_temperature": 1.5})
    volume = image((8, 16, 16))
    found = load_semantic_model(write_folder(tmp_path, recipe)).segment(volume)
    assert found.agreement is not None
    inside = tuple(slice(4, -4) for _ in range(3))  # the field of view is padded with black
    voxels = prepare(volume).volume.voxels_zyx.astype(np.float32)
    votes = np.stack([by_hand(recipe, voxels, (seed,)).argmax(0) for seed in (0, 1, 2)])
    decided = by_hand(recipe, voxels, (0, 1, 2)).argmax(0)
    share = (votes == decided).mean(0)
    assert len(np.unique(share)) > 2
    assert (found.agreement.labels_zyx[inside] == np.rint(240 * share)).mean() > 0.999
    assert (found.labels.labels_zyx[inside] == np.array([0, 49, 100, 26])[decided]).mean() > 0.999
    assert (found.agreement.labels_zyx[:4] == 240).all()


def test_3_equal_folds_agree_and_are_as_certain_as_one_that_has_nobody_to_agree_with(
    tmp_path: Path,
) -> None:
    alone = write_folder(tmp_path / "alone", Recipe())
    trio = write_folder(tmp_path / "trio", Recipe(folds=("0", "1", "2")))
    weights = next(trio.rglob("fold_0/checkpoint_final.pth"))
    for fold in ("1", "2"):
        shutil.copy(weights, weights.parents[1] / f"fold_{fold}" / weights.name)
    one, three = (load_semantic_model(folder).segment(image()) for folder in (alone, trio))
    assert one.agreement is None
    assert three.agreement is not None
    assert (three.agreement.labels_zyx == 240).all()
    assert one.certainty is not None
    assert three.certainty is not None
    certain = [r.certainty.labels_zyx.astype(int) for r in (one, three)]
    assert np.abs(certain[0] - certain[1]).max() <= 1
    assert np.array_equal(one.labels.labels_zyx, three.labels.labels_zyx)


def test_a_transposed_network_sees_its_own_axis_order(tmp_path: Path) -> None:
    recipe = Recipe(transpose=(2, 0, 1), patch=(16, 8, 16))
    model = load_semantic_model(write_folder(tmp_path, recipe))
    volume = image((8, 16, 16))
    found = model.predict_on_model_grid(volume).labels_zyx
    turned = np.ascontiguousarray(volume.voxels_zyx.transpose(2, 0, 1))
    classes = by_hand(recipe, turned, (0,)).argmax(0).transpose(1, 2, 0)
    assert (found == np.array([0, 49, 100, 26])[classes]).mean() > 0.999


def test_regions_overwrite_each_other_in_their_order(tmp_path: Path) -> None:
    dataset = {
        "labels": {"background": 0, "whole": [1, 2], "disc": 2},
        "regions_class_order": [1, 2],
    }
    recipe = Recipe(dataset=dataset)
    folder = write_folder(tmp_path, recipe)
    model = load_semantic_model(folder)
    volume = image((8, 16, 16))
    found = model.predict_on_model_grid(volume).labels_zyx
    normal = (volume.voxels_zyx - volume.voxels_zyx.mean()) / volume.voxels_zyx.std()
    with torch.inference_mode():
        logits = network(recipe, 0, heads=2)(torch.from_numpy(normal)[None, None])[0].numpy()
    expected = np.where(logits[1] > 0, 100, np.where(logits[0] > 0, 49, 0))
    assert (found == expected).mean() > 0.999


def test_mirroring_happens_only_if_the_config_asks_and_the_checkpoint_allows(
    tmp_path: Path,
) -> None:
    def labels(name: str, *, ask: bool, allow: object) -> NDArray[Any]:
        recipe = Recipe(
            config={"inference_augmentation": ask},
            checkpoint_extras={"inference_allowed_mirroring_axes": allow},
        )
        model = load_semantic_model(write_folder(tmp_path / name, recipe))
        return model.predict_on_model_grid(image((8, 16, 16))).labels_zyx

    plain = labels("a", ask=False, allow=(0, 1, 2))
    assert np.array_equal(labels("b", ask=True, allow=None), plain)
    assert not np.array_equal(labels("c", ask=True, allow=(0, 1, 2)), plain)


@pytest.mark.parametrize("native", [("L", "P", "S"), ("P", "S", "L"), ("A", "I", "R")])
def test_the_result_lies_on_the_models_grid_around_the_image(
    native: tuple[str, str, str], tmp_path: Path
) -> None:
    from operators.imaging.orientation import reorient  # noqa: PLC0415

    model = load_semantic_model(write_folder(tmp_path))
    plain = model.segment(image())
    turned = model.segment(reorient(image(), native))
    assert axis_codes(turned.labels.affine_lps) == ("P", "I", "R")
    # 12 slices + 2 x 4, 30 + 8, 26 + 8 voxels
    assert turned.labels.labels_zyx.shape == plain.labels.labels_zyx.shape == (20, 38, 34)
    assert np.allclose(turned.labels.affine_lps, plain.labels.affine_lps)
    assert plain.facts == ()


@pytest.mark.parametrize("slices", [20, 21, 22])
def test_without_a_border_the_grid_begins_with_the_image_and_holds_its_last_slice(
    slices: int, tmp_path: Path
) -> None:
    recipe = Recipe(config={"border_voxels": [4, 4, 0], "resolution_range": [1.0, 1.0, 1.65]})
    model = load_semantic_model(write_folder(tmp_path, recipe))
    rng = np.random.default_rng(4)
    affine = image().affine_lps * np.array([0.3, 1, 1, 1])  # slices of 0.9 mm
    volume = Volume(rng.uniform(100, 900, (slices, 16, 16)).astype(np.float32), affine)
    found = model.segment(volume).labels
    assert np.isclose(found.affine_lps[0, 3], affine[0, 3])
    seen = found.with_labels(np.ones_like(found.labels_zyx))
    assert resample_labels_to_grid(seen, volume.grid).labels_zyx.all()


def test_a_resolution_pair_leaves_a_spacing_within_it_alone(tmp_path: Path) -> None:
    recipe = Recipe(config={"resolution_range": [[0.5, 0.5, 2.0], [1.5, 1.5, 4.0]]})
    model = load_semantic_model(write_folder(tmp_path, recipe))
    labels = model.segment(image()).labels
    assert labels.spacing_zyx_mm == pytest.approx((3, 1, 1))
    assert labels.labels_zyx.shape == (20, 38, 34)


def test_a_grid_other_than_the_training_spacing_is_resampled_there_and_back(
    tmp_path: Path,
) -> None:
    recipe = Recipe(config={"resolution_range": [2.0, 2.0, 6.0]})
    model = load_semantic_model(write_folder(tmp_path, recipe))
    labels = model.segment(image()).labels
    assert labels.spacing_zyx_mm == pytest.approx((6, 2, 2))
    assert labels.labels_zyx.shape == (10, 19, 17)
    assert labels.labels_zyx.any()


def test_facts_tell_what_was_repaired(tmp_path: Path) -> None:
    volume = image()
    volume.voxels_zyx[3, 4, 5] = np.nan
    volume.voxels_zyx[6, 15, 15] = 1e6
    model = load_semantic_model(write_folder(tmp_path))
    assert model.segment(volume).facts == (
        "non_finite_voxels_replaced: 1",
        "hot_voxels_capped: 1",
    )


def test_one_hot_voxel_changes_less_than_1_percent_of_the_labels(tmp_path: Path) -> None:
    model = load_semantic_model(write_folder(tmp_path))
    plain = model.segment(image()).labels.labels_zyx
    volume = image()
    volume.voxels_zyx[6, 15, 15] = 32000
    assert (model.segment(volume).labels.labels_zyx != plain).mean() < 0.01


def test_an_image_scaled_0_to_1_gets_the_same_labels(tmp_path: Path) -> None:
    model = load_semantic_model(write_folder(tmp_path))
    volume = image()
    plain = model.segment(volume).labels.labels_zyx
    unit = model.segment(volume.with_voxels(volume.voxels_zyx / 1000)).labels.labels_zyx
    assert (unit != plain).mean() < 0.01


def test_a_black_image_is_refused(tmp_path: Path) -> None:
    model = load_semantic_model(write_folder(tmp_path))
    black = Volume(np.zeros((8, 16, 16), np.float32), image().affine_lps)
    for call in (model.segment, model.predict_on_model_grid):
        with pytest.raises(IntensityError) as caught:
            call(black)
        assert caught.value.reasons == ("constant_image",)


def test_progress_may_cancel(tmp_path: Path) -> None:
    def cancel(_done: int, _total: int) -> None:
        raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        load_semantic_model(write_folder(tmp_path)).segment(image(), cancel)


def test_two_runs_and_two_loads_give_the_same_labels(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    model = load_semantic_model(folder)
    first = model.segment(image()).labels.labels_zyx
    assert np.array_equal(model.segment(image()).labels.labels_zyx, first)
    again = load_semantic_model(folder)
    assert np.array_equal(again.segment(image()).labels.labels_zyx, first)


def test_a_wrapped_folder_is_the_same_model(tmp_path: Path) -> None:
    plain = load_semantic_model(write_folder(tmp_path / "plain"))
    write_folder(tmp_path / "wrapped" / "T2w" / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    wrapped = load_semantic_model(tmp_path / "wrapped")
    assert wrapped.config == plain.config
    labels = [m.predict_on_model_grid(image()).labels_zyx for m in (plain, wrapped)]
    assert np.array_equal(*labels)


def test_the_digest_names_the_weights_and_not_the_place(tmp_path: Path) -> None:
    def model(name: str, seed: int = 0) -> SemanticModel:
        return load_semantic_model(write_folder(tmp_path / name, seed=seed))

    first = model("a")
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    assert load_semantic_model(tmp_path / "copy").digest == first.digest
    assert model("c", seed=1).digest != first.digest
    assert (first.name, first.profile) == (
        "Tiny",
        "cpu-openvino-fp32",
    )
    in_bf16 = load_semantic_model(tmp_path / "a", precision="bf16", engine="torch")
    assert in_bf16.profile == "cpu-torch-bf16"


def test_only_the_best_checkpoint_is_enough(tmp_path: Path) -> None:
    best = load_semantic_model(
        write_folder(tmp_path / "best", Recipe(checkpoint="checkpoint_best.pth"))
    )
    final = load_semantic_model(write_folder(tmp_path / "final"))
    labels = [model.predict_on_model_grid(image()).labels_zyx for model in (best, final)]
    assert np.array_equal(*labels)


def test_fold_all_and_inherited_configurations_load(tmp_path: Path) -> None:
    load_semantic_model(write_folder(tmp_path / "a", Recipe(folds=("all",))))
    recipe = Recipe(folds=("all",), config={"available_folds": "all"}, inherits=True)
    assert load_semantic_model(write_folder(tmp_path / "b", recipe)).plans.patch_size == (8, 16, 16)


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (Recipe(config={"modeltype": "unet"}), "not_a_semantic_model"),
        (Recipe(config={"modality": ["SEG"]}), "not_a_semantic_model"),
        (Recipe(config={"expected_inputs": ["ip", "oop"]}), "unsupported_inputs"),
        (Recipe(config={"available_folds": 2}), "fold_missing"),
        (Recipe(config={"labels": {"1": 49, "3": 26}}), "label_table_incomplete"),
        (Recipe(config={"labels": {"1": "Femur"}}), "unknown_label_name"),
        (Recipe(checkpoint_extras={"network_weights": None}), "weights_do_not_fit"),
        (Recipe(checkpoint_extras={"init_args": {"configuration": "x"}}),
         "plans_configuration_missing"),
    ],
)  # fmt: skip
def test_an_unusable_folder_is_refused_before_the_first_image(
    recipe: Recipe, reason: str, tmp_path: Path
) -> None:
    assert reasons_of(write_folder(tmp_path, recipe)) == (reason,)
