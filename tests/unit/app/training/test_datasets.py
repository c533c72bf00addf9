"""A user's images become cases: on the network's grid, numbered from the top, honest about gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from app.training.cases import load
from app.training.datasets import (
    ImportSettings,
    count_from_top,
    find_annotated,
    import_dataset,
    known_labels,
    spider_labels,
)
from app.training.supervision import OUTSIDE, SOME_CANAL, SOME_VERTEBRA, UNKNOWN
from operators.errors import UnreadableInputError
from tests.builders.bids_dataset import bids, phantom

GRID = ImportSettings(spacing_rip_mm=(3.3, 1.5, 1.5), correct_bias=False)


def test_bids_images_find_the_masks_of_their_own_session(tmp_path: Path) -> None:
    folder = bids(tmp_path, "01", "02")
    lonely = folder / "sub-03" / "sub-03_T2w.nii.gz"
    lonely.parent.mkdir()
    lonely.write_bytes(b"")
    found = find_annotated(folder, "bids")
    assert [entry.name for entry in found] == ["sub-01_ses-1", "sub-02_ses-1"]
    assert found[1].semantic.name == "sub-02_ses-1_mod-T2w_seg-spine_msk.nii.gz"
    assert found[1].instances is not None


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


def test_spiders_numbers_become_discs_and_sets() -> None:
    mask = np.array([0, 1, 25, 26, 100, 101, 125, 201, 225, 300])
    some = SOME_VERTEBRA
    assert spider_labels(mask).tolist() == [
        *(OUTSIDE, some, some, UNKNOWN, SOME_CANAL),
        *(some, some, 100, 100, UNKNOWN),
    ]


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


def test_numbers_outside_of_the_scheme_are_unknown() -> None:
    assert known_labels(np.array([0, 26, 49, 53, 62, 100, 7, 254])).tolist() == [
        *(0, 26, 49, 53, 62, 100, UNKNOWN, UNKNOWN),
    ]


def test_t13_is_counted_by_its_height_and_the_sacrum_not_at_all() -> None:
    column = np.array([19, 28, 20, 21, 26])[None, :, None]
    assert count_from_top(column).ravel().tolist() == [1, 2, 3, 4, 0]


def test_a_folder_without_masks_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError) as raised:
        find_annotated(tmp_path, "bids")
    assert raised.value.reasons == ("no_annotated_images",)
