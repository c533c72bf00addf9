"""nnU-Net's intensity schemes by name: what a network expects its input to look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.errors import ModelUnusableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Voxels = NDArray[np.float32]

_SMALL = 1e-8


def normalise(
    voxels: Voxels,
    scheme: str,
    *,
    mask: NDArray[np.bool_] | None,
    properties: Mapping[str, float],
) -> Voxels:
    """Apply one scheme to one channel.

    Parameters
    ----------
    voxels : (Z, Y, X) ndarray of float32
        Cropped to non-zero.
    scheme : str
        Class name in nnU-Net.
    mask : (Z, Y, X) ndarray of bool, optional
        Where the statistics are taken and the image is changed (``use_mask_for_norm``).
    properties : mapping of str to float
        Foreground intensities of the training data (CT only).

    Returns
    -------
    (Z, Y, X) ndarray of float32
        A new array.

    Raises
    ------
    ModelUnusableError
        ``unknown_normalisation``, or ``plans_incomplete`` where properties are missing.
    """
    if scheme not in _SCHEMES:
        message = f"the plans ask for the unknown intensity scheme {scheme:.60}"
        raise ModelUnusableError(message, reasons=("unknown_normalisation",))
    try:
        return _SCHEMES[scheme](voxels, mask, properties)
    except KeyError as error:
        message = f"plans.json lacks the intensity property {error}"
        raise ModelUnusableError(message, reasons=("plans_incomplete",)) from error


def _z_score(
    voxels: Voxels, mask: NDArray[np.bool_] | None, _properties: Mapping[str, float]
) -> Voxels:
    inside = voxels if mask is None else voxels[mask]
    mean = np.float32(inside.mean(dtype=np.float64))
    deviation = np.float32(max(float(inside.std(dtype=np.float64)), _SMALL))
    if mask is None:
        return (voxels - mean) / deviation
    out = voxels.copy()
    out[mask] = (inside - mean) / deviation
    return out


def _ct(voxels: Voxels, _mask: NDArray[np.bool_] | None, properties: Mapping[str, float]) -> Voxels:
    clipped = np.clip(voxels, properties["percentile_00_5"], properties["percentile_99_5"])
    deviation = max(properties["std"], _SMALL)
    return np.asarray((clipped - properties["mean"]) / deviation, np.float32)


def _unchanged(
    voxels: Voxels, _mask: NDArray[np.bool_] | None, _properties: Mapping[str, float]
) -> Voxels:
    return voxels.copy()


def _to_01(
    voxels: Voxels, _mask: NDArray[np.bool_] | None, _properties: Mapping[str, float]
) -> Voxels:
    shifted = voxels - voxels.min()
    return np.asarray(shifted / max(float(shifted.max()), _SMALL), np.float32)


def _rgb_to_01(
    voxels: Voxels, _mask: NDArray[np.bool_] | None, _properties: Mapping[str, float]
) -> Voxels:
    return voxels / np.float32(255)


_SCHEMES: dict[str, Callable[[Voxels, NDArray[np.bool_] | None, Mapping[str, float]], Voxels]] = {
    "ZScoreNormalization": _z_score,
    "CTNormalization": _ct,
    "NoNormalization": _unchanged,
    "RescaleTo01Normalization": _to_01,
    "RGBTo01Normalization": _rgb_to_01,
}
