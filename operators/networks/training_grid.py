"""The spacing a network was trained at, which may differ from the one its folder asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.imaging.resampling import resample_to_spacing

if TYPE_CHECKING:
    from operators.imaging.volume import Volume


def untransposed(
    spacing_mm: tuple[float, float, float], backward: tuple[int, int, int]
) -> tuple[float, float, float]:
    """Spacing in the image's axis order, of a spacing in the network's."""
    k, j, i = (spacing_mm[axis] for axis in backward)
    return k, j, i


def at_training_spacing(volume: Volume, spacing_zyx_mm: tuple[float, float, float]) -> Volume:
    """Resample only where nnU-Net would: if the rounded shape differs."""
    shape = volume.voxels_zyx.shape
    wanted = tuple(
        round(size * have / want)
        for size, have, want in zip(shape, volume.spacing_zyx_mm, spacing_zyx_mm, strict=True)
    )
    return volume if wanted == shape else resample_to_spacing(volume, spacing_zyx_mm)
