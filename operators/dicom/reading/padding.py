"""Which pixels are padding: outside the image, marked by a value that is no measurement.

Judged on stored values, before any rescale (DICOM PS3.3 C.7.5.1.1.2). What stands in their place
afterwards is `operators.dicom.reading.assembly`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.dicom.headers.pixel_description import PixelDescription

_PADDING_BITS = 16
"""Pixel Padding Value is a word of 16 bits (US or SS), whatever the pixels are."""


def find_padding(
    values: NDArray[np.number], words: NDArray[np.number], description: PixelDescription
) -> NDArray[np.bool_] | None:
    """Mark the pixels that are padding.

    Parameters
    ----------
    values : ndarray
        Stored values: samples cut to their bits, or fractions.
    words : ndarray of the same shape
        The words that held them, unsigned; not looked at for fractions.
    description : PixelDescription
        With the padding values as written.

    Returns
    -------
    ndarray of bool or None
        None where no pixel is padding.

    Notes
    -----
    US and SS are often mistaken for each other, so the sign follows Pixel Representation. A
    padding value that the stored bits can't hold (-2000 in an image of 12 unsigned bits) is looked
    for in the whole words; one that the words can't hold marks nothing.
    """
    if description.padding is None:
        return None
    low, high = description.padding
    if description.is_float:
        found = np.isnan(values) if np.isnan(low) else _between(values, low, high)
    else:
        low, high = sorted(_signed_as_pixels(limit, description) for limit in (low, high))
        found = _between(values, low, high)
        if low < _smallest(description, description.stored) or high > _largest(
            description, description.stored
        ):
            found |= _between(_whole_words(words, description), low, high)
    return found if found.any() else None


def _between(values: NDArray[np.number], low: float, high: float) -> NDArray[np.bool_]:
    if np.issubdtype(values.dtype, np.floating):  # 0.1 as written in 8 bytes is not 0.1 in 4
        low, high = np.array([low, high], dtype=values.dtype).tolist()
    found: NDArray[np.bool_] = (values >= low) & (values <= high)
    return found


def _signed_as_pixels(limit: float, description: PixelDescription) -> float:
    """Read the 16 bits of a padding value with the sign that the pixels have."""
    whole = 1 << _PADDING_BITS
    if description.is_signed and whole // 2 <= limit < whole:
        return limit - whole
    if not description.is_signed and -whole // 2 <= limit < 0:
        return limit + whole
    return limit


def _smallest(description: PixelDescription, bits: int) -> int:
    return -(1 << (bits - 1)) if description.is_signed else 0


def _largest(description: PixelDescription, bits: int) -> int:
    return (1 << (bits - int(description.is_signed))) - 1


def _whole_words(words: NDArray[np.number], description: PixelDescription) -> NDArray[np.int64]:
    numbers = words.astype(np.int64)
    if description.is_signed:
        bits = 8 * words.dtype.itemsize
        numbers -= (numbers >> (bits - 1)) << bits
    return numbers
