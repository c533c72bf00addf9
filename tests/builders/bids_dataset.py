"""A small annotated data set in BIDS layout, with masks named as SPINEPS names them."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np


def phantom() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two bodies of 24 x 24 x 24 mm in 1 mm voxels (R, A, S), the upper one with id 21."""
    semantic = np.zeros((40, 60, 80), np.uint8)
    vertebrae = np.zeros_like(semantic)
    for low, number in ((8, 22), (44, 21)):
        semantic[8:32, 20:44, low : low + 24] = 49
        vertebrae[8:32, 20:44, low : low + 24] = number
    semantic[8:32, 20:44, 34:42] = 100
    image = 100 + 500 * (semantic == 49) + 200 * (semantic == 100)
    return image.astype(np.int16), semantic, vertebrae


def bids(folder: Path, *subjects: str) -> Path:
    image, semantic, vertebrae = phantom()
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    for subject in subjects:
        home = folder / f"sub-{subject}" / "ses-1" / "anat"
        masks = folder / "derivatives_seg" / f"sub-{subject}"
        for place in (home, masks):
            place.mkdir(parents=True)
        stem = f"sub-{subject}_ses-1"
        nib.save(nib.Nifti1Image(image, affine), home / f"{stem}_T2w.nii.gz")
        for kind, array in (("spine", semantic), ("vert", vertebrae)):
            name = f"{stem}_mod-T2w_seg-{kind}_msk.nii.gz"
            nib.save(nib.Nifti1Image(array, affine), masks / name)
    return folder
