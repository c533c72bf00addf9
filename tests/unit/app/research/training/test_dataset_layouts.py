"""Which image has which masks."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.research.training.dataset_layouts import Kind, find_annotated, images_of
from operators.errors import UnreadableInputError
from tests.builders.bids_dataset import bids


def test_bids_images_find_the_masks_of_their_own_session(tmp_path: Path) -> None:
    folder = bids(tmp_path, "01", "02")
    lonely = folder / "sub-03" / "sub-03_T2w.nii.gz"
    lonely.parent.mkdir()
    lonely.write_bytes(b"")
    found = find_annotated(folder, "bids")
    assert [entry.name for entry in found] == ["sub-01_ses-1", "sub-02_ses-1"]
    assert found[1].semantic.name == "sub-02_ses-1_mod-T2w_seg-spine_msk.nii.gz"
    assert found[1].instances is not None
    assert len(images_of(folder, "bids")) == 3


def test_a_folder_without_masks_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError) as raised:
        find_annotated(tmp_path, "bids")
    assert raised.value.reasons == ("no_annotated_images",)


def test_a_folder_that_is_not_there_is_told_from_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError) as raised:
        find_annotated(tmp_path / "typo", "spider")
    assert raised.value.reasons == ("missing_input",)


def test_two_annotations_of_one_image_are_refused_instead_of_taking_any(tmp_path: Path) -> None:
    folder = bids(tmp_path, "01")
    (mask,) = folder.rglob("*_seg-spine_msk.nii.gz")
    other = folder / "derivatives_manual" / mask.name
    other.parent.mkdir()
    other.write_bytes(mask.read_bytes())
    with pytest.raises(UnreadableInputError, match="seg-spine masks of one image") as raised:
        find_annotated(folder, "bids")
    assert raised.value.reasons == ("ambiguous_names",)


@pytest.mark.parametrize(("kind", "file"), [("bids", "_T2w.nii.gz"), ("spider", "images/N_t2.mha")])
def test_who_has_another_layout_is_told_what_is_expected(
    tmp_path: Path, kind: Kind, file: str
) -> None:
    with pytest.raises(UnreadableInputError, match=file):
        find_annotated(tmp_path, kind)
