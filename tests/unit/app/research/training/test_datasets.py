"""A user's images become cases: on the network's grid, numbered from the top, honest about gaps."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from app.research.training.cases import load
from app.research.training.dataset_layouts import find_annotated
from app.research.training.datasets import ImportListener, ImportSettings, import_dataset
from app.research.training.supervision import OUTSIDE, SOME_VERTEBRA, UNKNOWN
from operators.errors import UnreadableInputError
from tests.builders.bids_dataset import bids, phantom

GRID = ImportSettings(spacing_rip_mm=(3.3, 1.5, 1.5), correct_bias=False)


def test_an_imported_case_has_the_networks_grid_and_counts_from_the_top(tmp_path: Path) -> None:
    names = import_dataset(bids(tmp_path / "data", "01"), "bids", tmp_path / "cases", GRID)
    case = load(tmp_path / "cases" / names[0])
    assert case.spacing_rip_mm == pytest.approx((3.3, 1.5, 1.5))
    assert case.labels.shape == case.vertebrae.shape == case.images.shape[1:]
    volume = np.prod(case.spacing_rip_mm)
    assert (case.labels == 49).sum() * volume == pytest.approx(2 * 24**3, rel=0.12)
    rows = [np.argwhere(case.vertebrae == n)[:, 1].mean() for n in (1, 2)]
    assert rows[0] < rows[1]
    assert set(np.unique(case.vertebrae)) == {0, 1, 2}
    bright = case.images[0][case.labels == 49].astype(float)
    assert float(np.median(bright)) == pytest.approx(600, rel=0.05)


def test_what_was_imported_is_kept_and_the_margin_crops(tmp_path: Path) -> None:
    data = bids(tmp_path / "data", "01")
    settings = ImportSettings(spacing_rip_mm=(3.3, 1.5, 1.5), correct_bias=False, margin_mm=5.0)
    name = import_dataset(data, "bids", tmp_path / "cases", settings)[0]
    path = tmp_path / "cases" / name
    before, case = path.stat().st_mtime_ns, load(path)
    assert case.labels.shape[1] * 1.5 == pytest.approx(60 + 10, abs=5)
    import_dataset(data, "bids", tmp_path / "cases", settings)
    assert path.stat().st_mtime_ns == before


def test_preparation_as_in_use_pads_by_4_voxels_and_scales(tmp_path: Path) -> None:
    settings = ImportSettings(spacing_rip_mm=(3.3, 1.5, 1.5))
    name = import_dataset(bids(tmp_path / "data", "01"), "bids", tmp_path / "cases", settings)[0]
    case = load(tmp_path / "cases" / name)
    assert case.labels.shape[1] * 1.5 == pytest.approx(88, abs=2)
    assert not case.images[0, :1].any()
    assert float(case.images.max()) <= 1500


def test_spider_reads_t2_images_only_and_places_mha_voxels(tmp_path: Path) -> None:
    image, semantic, _ = phantom()
    mask = np.where(semantic == 49, 1, np.where(semantic == 100, 201, 0)).astype(np.int16)
    for kind, array in (("images", image), ("masks", mask)):
        (tmp_path / kind).mkdir()
        itk = SimpleITK.GetImageFromArray(array.transpose(2, 1, 0))
        itk.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # x to the right, y to the front
        for name in ("1_t2", "1_t1", "2_t2_SPACE"):
            SimpleITK.WriteImage(itk, str(tmp_path / kind / f"{name}.mha"))
    assert [e.name for e in find_annotated(tmp_path, "spider")] == ["1_t2", "2_t2_SPACE"]
    name = import_dataset(tmp_path, "spider", tmp_path / "cases", GRID)[0]
    case = load(tmp_path / "cases" / name)
    assert set(np.unique(case.labels)) == {100, SOME_VERTEBRA, OUTSIDE}
    assert not case.vertebrae.any()
    disc = np.argwhere(case.labels == 100)[:, 1].mean() * 1.5
    assert disc == pytest.approx(80 - 38, abs=2)  # from the top


def moved(folder: Path, subject: str, kind: str, millimetres: float) -> None:
    (path,) = folder.glob(f"derivatives_seg/sub-{subject}/*_seg-{kind}_msk.nii.gz")
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += millimetres
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), path)


def test_all_masks_that_lie_beside_their_images_are_named_at_once(tmp_path: Path) -> None:
    data = bids(tmp_path / "data", "01", "02", "03", "04")
    moved(data, "02", "spine", 500.0)
    moved(data, "03", "vert", 12.0)
    (broken,) = data.glob("derivatives_seg/sub-04/*_seg-spine_msk.nii.gz")
    broken.write_bytes(b"no image")
    with pytest.raises(UnreadableInputError) as raised:
        import_dataset(data, "bids", tmp_path / "cases", GRID)
    assert {"mask_elsewhere", "numbers_elsewhere"} <= set(raised.value.reasons)
    text = raised.value.message
    assert text.startswith("3 of 4 annotated images cannot be used: sub-02_ses-1: only 0% of")
    assert "% of the vertebral bodies' voxels have a number in seg-vert; sub-04_ses-1: " in text
    assert "sub-04_ses-1" in text
    assert "sub-01" not in text


def test_a_mask_of_unknown_numbers_is_refused_and_one_with_some_is_noted(tmp_path: Path) -> None:
    data = bids(tmp_path / "data", "01")
    (path,) = data.glob("derivatives_seg/sub-01/*_seg-spine_msk.nii.gz")
    image = nib.load(path)
    voxels = np.asarray(image.dataobj)
    notes: list[str] = []
    listener = ImportListener(note=notes.append)
    nib.save(nib.Nifti1Image(np.where(voxels == 100, 7, voxels), image.affine), path)
    name = import_dataset(data, "bids", tmp_path / "cases", GRID, listener)[0]
    assert notes == ["sub-01_ses-1: labels (7,) are not of the SPINEPS scheme: not trained on"]
    assert set(np.unique(load(tmp_path / "cases" / name).labels)) == {0, 49, UNKNOWN}
    nib.save(nib.Nifti1Image(np.where(voxels > 0, 70, voxels), image.affine), path)
    with pytest.raises(UnreadableInputError) as raised:
        import_dataset(data, "bids", tmp_path / "cases", GRID)
    assert raised.value.reasons == ("no_known_labels",)


def test_a_mask_that_was_corrected_is_read_again(tmp_path: Path) -> None:
    data = bids(tmp_path / "data", "01")
    before = import_dataset(data, "bids", tmp_path / "cases", GRID)
    (path,) = data.glob("derivatives_seg/sub-01/*_seg-spine_msk.nii.gz")
    image = nib.load(path)
    voxels = np.asarray(image.dataobj)
    nib.save(nib.Nifti1Image(np.where(voxels == 100, 61, voxels), image.affine), path)
    after = import_dataset(data, "bids", tmp_path / "cases", GRID)
    assert before != after
    assert set(np.unique(load(tmp_path / "cases" / after[0]).labels)) == {0, 49, 61}


def test_images_without_masks_are_counted_aloud(tmp_path: Path) -> None:
    data = bids(tmp_path / "data", "01", "02")
    for path in data.glob("derivatives_seg/sub-02/*"):
        path.unlink()
    notes: list[str] = []
    import_dataset(data, "bids", tmp_path / "cases", GRID, ImportListener(note=notes.append))
    assert notes == ["1 T2w images have no mask and are left out"]


def test_swapped_masks_are_refused_and_not_trained_on(tmp_path: Path) -> None:
    folder = bids(tmp_path / "data", "01")
    (spine,), (vert,) = (folder.rglob(f"*_seg-{kind}_msk.nii.gz") for kind in ("spine", "vert"))
    aside = spine.with_name("aside.nii.gz")
    spine.rename(aside)
    vert.rename(spine)
    aside.rename(vert)
    with pytest.raises(UnreadableInputError, match="swapped") as raised:
        import_dataset(folder, "bids", tmp_path / "cases", GRID)
    assert raised.value.reasons == ("other_kind",)
