"""The colours in which structures and instances are shown, everywhere the same.

Stated once in sRGB and converted to the CIELab integers of DICOM, so that a viewer, the overlay
PNG and the web page agree. Which structures exist is the business of ``labels`` and ``codes``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.anatomy.labels import DISC_OFFSET, ENDPLATE_OFFSET, SACRUM_INSTANCE, Structure
from operators.anatomy.vertebrae import vertebra_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Rgb = tuple[int, int, int]

STRUCTURE_COLOURS: dict[int, Rgb] = {
    Structure.CORPUS: (232, 184, 74),
    Structure.CORPUS_DENSE: (190, 146, 48),
    Structure.DENS: (176, 196, 58),
    Structure.DISC: (63, 167, 214),
    Structure.ENDPLATE_SUPERIOR: (242, 95, 92),
    Structure.ENDPLATE_INFERIOR: (166, 44, 66),
    Structure.ENDPLATE: (200, 60, 130),
    Structure.SACRUM: (168, 150, 100),
    Structure.CANAL: (110, 206, 130),
    Structure.CORD: (255, 242, 117),
    Structure.ARCUS: (157, 107, 206),
    Structure.SPINOUS_PROCESS: (226, 123, 177),
    Structure.COSTAL_PROCESS_LEFT: (84, 214, 184),
    Structure.COSTAL_PROCESS_RIGHT: (38, 136, 114),
    Structure.SUPERIOR_ARTICULAR_LEFT: (112, 158, 255),
    Structure.SUPERIOR_ARTICULAR_RIGHT: (52, 84, 190),
    Structure.INFERIOR_ARTICULAR_LEFT: (250, 160, 110),
    Structure.INFERIOR_ARTICULAR_RIGHT: (208, 98, 40),
}
"""Semantic label to sRGB; left lighter than right."""

_HUES: tuple[Rgb, ...] = (
    (226, 80, 66),  # red
    (62, 142, 222),  # blue
    (242, 193, 46),  # yellow
    (142, 91, 208),  # violet
    (70, 185, 108),  # green
    (240, 138, 36),  # orange
    (47, 184, 198),  # cyan
    (217, 86, 158),  # pink
)
"""Neighbours in this cycle are far apart in CIELab (tested)."""

_WHITE: Rgb = (255, 255, 255)
_BLACK: Rgb = (0, 0, 0)
_LAPS: tuple[tuple[Rgb, float], ...] = (
    (_WHITE, 0.0),
    (_WHITE, 0.3),
    (_BLACK, 0.28),
    (_WHITE, 0.5),
)
"""What is mixed into the hues at each lap of 8 ids; chosen for the largest smallest distance."""
_D65 = (95.047, 100.0, 108.883)
"""White point; viewers assume it when they convert (OHIF, highdicom), though ICC's PCS is D50."""


def instance_colour(label: int, tones: Mapping[int, int] | None = None) -> Rgb:
    """Colour of a label of the instance map.

    Parameters
    ----------
    label : int
        X, 100 + X, 200 + X or 26.
    tones : mapping of int to int, optional
        Level in whose colour a vertebra X is shown (`operators.anatomy.levels.tones_of`); without
        an entry it is its number.

    Returns
    -------
    tuple of 3 int
        sRGB 0-255: discs are a paler and endplates a darker tone of their vertebra.

    Raises
    ------
    KeyError
        If the label belongs to no vertebra and not to the sacrum.
    """
    owner = vertebra_of(label)
    if owner == SACRUM_INSTANCE:
        tone = STRUCTURE_COLOURS[Structure.SACRUM]
    else:
        tone_of = (tones or {}).get(owner, owner)
        lap, hue = divmod(tone_of - 1, len(_HUES))
        tone = _mix(_HUES[hue], *_LAPS[lap])
    if label - owner == DISC_OFFSET:
        return _mix(tone, _WHITE, 0.6)
    if label - owner == ENDPLATE_OFFSET:
        return _mix(tone, _BLACK, 0.4)
    return tone


def cielab(colour: Rgb) -> tuple[float, float, float]:
    """Convert sRGB to CIELab under D65.

    Parameters
    ----------
    colour : tuple of 3 int
        sRGB, 0-255.

    Returns
    -------
    tuple of 3 float
        L* 0..100, a* and b* about -128..127.

    References
    ----------
    IEC 61966-2-1 (sRGB), CIE 15 (CIELab).

    Examples
    --------
    >>> tuple(round(v) for v in cielab((255, 255, 255)))
    (100, 0, 0)
    """
    red, green, blue = (_linear(channel / 255.0) for channel in colour)
    x = 41.24564 * red + 35.75761 * green + 18.04375 * blue
    y = 21.26729 * red + 71.51522 * green + 7.21750 * blue
    z = 1.93339 * red + 11.91920 * green + 95.03041 * blue
    fx, fy, fz = (_lab_root(v / white) for v, white in zip((x, y, z), _D65, strict=True))
    return 116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)


def dicom_cielab(colour: Rgb) -> tuple[int, int, int]:
    """Convert sRGB to the integers of Recommended Display CIELab Value (0062,000D).

    Parameters
    ----------
    colour : tuple of 3 int
        sRGB, 0-255.

    Returns
    -------
    tuple of 3 int
        L* scaled from 0..100, a* and b* from -128..127, each to 0..65535.

    References
    ----------
    DICOM PS3.3 C.10.7.1.1.

    Examples
    --------
    >>> dicom_cielab((0, 0, 0))
    (0, 32896, 32896)
    """
    lightness, a, b = cielab(colour)
    scaled = (lightness / 100.0, (a + 128.0) / 255.0, (b + 128.0) / 255.0)
    first, second, third = (round(min(max(v, 0.0), 1.0) * 65535.0) for v in scaled)
    return first, second, third


def _mix(colour: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _linear(channel: float) -> float:
    """Undo the sRGB transfer function."""
    if channel <= 0.04045:  # noqa: PLR2004  IEC 61966-2-1
        return channel / 12.92
    return float(((channel + 0.055) / 1.055) ** 2.4)


def _lab_root(ratio: float) -> float:
    if ratio > (6.0 / 29.0) ** 3:
        return float(ratio ** (1.0 / 3.0))
    return ratio * (841.0 / 108.0) + 4.0 / 29.0
