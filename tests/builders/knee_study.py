"""A sagittal T2w knee whose header does not say so: what a router sends to a spine node one day.

Femur and tibia are two rounded bright bones with a joint space between them; cortical bone is
dark, muscle grey, fat bright. The header is that of a lumbar T2w series, so that only the image
can tell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from tests.builders.mr_series import SAGITTAL, MadeSeries, make_series

SLICES, SIZE, PIXEL_MM, GAP_MM = 20, 256, 0.7, 3.5

FAT, MUSCLE, MARROW, CORTEX, FLUID, AIR = 900, 350, 620, 60, 1500, 10


def write_knee(folder: Path, seed: int = 1) -> MadeSeries:
    """Write one series of 20 slices of 256 x 256 into `folder`."""
    made = make_series(
        folder,
        slices=SLICES,
        rows=SIZE,
        columns=SIZE,
        pixel_spacing=(PIXEL_MM, PIXEL_MM),
        slice_distance_mm=GAP_MM,
        orientation=SAGITTAL,
        name=f"knee {seed}",
        tags={"SeriesDescription": "", "StudyDescription": "", "BodyPartExamined": ""},
    )
    image = knee(seed)
    for path, plane in zip(made.paths, image, strict=True):
        dataset = dcmread(path)
        dataset.PixelData = plane.tobytes()
        dataset.save_as(path)
    return made


def knee(seed: int = 1) -> NDArray[np.uint16]:
    """Intensities [slice, row downwards, column backwards]."""
    slices, rows, columns = np.mgrid[:SLICES, :SIZE, :SIZE].astype(float)
    x = (slices - (SLICES - 1) / 2) * GAP_MM
    y = (rows - SIZE / 2) * PIXEL_MM
    z = (columns - SIZE / 2) * PIXEL_MM
    limb = np.hypot(x / 55, z / 65) < 1
    image = np.where(limb, FAT, AIR).astype(float)
    image[np.hypot(x / 48, (z - 4) / 52) < 1] = MUSCLE
    # Condyles widen towards the joint at y = 0; shafts are 14 mm thick.
    for side, end in ((-1, 22.0), (1, 19.0)):
        along = side * y - 4  # distance from the joint, into this bone
        radius = 14 + end * np.exp(-np.clip(along, 0, None) / 22)
        bone = (along > 0) & (np.hypot(x * 0.8, z) < radius)
        inside = (along > 2) & (np.hypot(x * 0.8, z) < radius - 2)
        image[bone] = CORTEX
        image[inside] = MARROW
    image[(np.abs(y) < 3) & (np.hypot(x / 40, z / 34) < 1)] = FLUID
    noise = np.random.default_rng(seed).normal(0, 25, image.shape)
    return np.clip(image + noise, 0, 4095).astype(np.uint16)
