"""From label maps to rows: every measure of every structure, or why it has no value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.anatomy.labels import DISC_OFFSET
from operators.anatomy.vertebrae import cranial_to_caudal
from operators.spine.measurements.bodies import coronal_lines
from operators.spine.measurements.canals import CrossSection, canal_frame, cross_section
from operators.spine.measurements.curves import (
    SACRUM_NAME,
    THICKEST_SLICES_MM,
    coronal_cobb,
    curve_degrees,
    named_surfaces,
    sagittal_tilt_degrees,
    slip_mm,
)
from operators.spine.measurements.definitions import CURVES, MEASURES, WHOLE_SPINE
from operators.spine.measurements.grades import genant_grade, meyerding_grade
from operators.spine.measurements.quantities import Quantity, Reason, combined
from operators.spine.measurements.spine import MeasuredSpine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from operators.imaging.volume import LabelMap
    from operators.spine.measurements.bodies import Shape
    from operators.spine.measurements.sampling import PlacedMask
    from operators.spine.measurements.surfaces import EndSurface

_MM3_PER_ML: Final = 1000.0
_PERCENT: Final = 100.0

CANAL: Final = "canal"
CORD: Final = "cord"

Values = dict[str, Quantity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measure of one structure.

    Attributes
    ----------
    instance : int
        Id in the instance map: X, 100 + X (its disc), 26; 0 = the spine as a whole. Canal and cord
        are measured behind the middle of body X and behind disc 100 + X.
    level : str
        Name of the level, such as ``"L3"`` or ``"L3/L4"``; empty as long as it is not known.
    measure : str
        Key in `operators.spine.measurements.definitions.MEASURES`, where unit and definition stand.
    value : float or None
        In that unit.
    reason : str or None
        Why there is no value (`Reason`).
    """

    instance: int
    level: str
    measure: str
    value: float | None = None
    reason: str | None = None


def measure(
    semantic: LabelMap, instances: LabelMap, names: Mapping[int, str] | None = None
) -> tuple[Measurement, ...]:
    """Measure a spine.

    Parameters
    ----------
    semantic, instances : LabelMap
        Final maps on one grid, any orientation; bodies 49, canal 61, cord 60; vertebra X, disc
        100 + X, sacrum 26.
    names : mapping, optional
        Level name of every vertebra id whose level is known from evidence; without it no curve
        between named levels is given.

    Returns
    -------
    tuple of Measurement
        From head to foot: every vertebra, its disc, then the spine as a whole; in the order of
        `MEASURES` within each.

    Notes
    -----
    Lengths and angles do not depend on how the scanner's axes lie to the spine, except for the
    sacral slope. The definitions stand in `MEASURES`, the measured errors in
    ``app/decisions/0017``.
    """
    spine = MeasuredSpine.of(semantic, instances)
    return tuple(
        _row(instance, _level(spine, instance, names), key, values[key])
        for instance, values in _all_values(spine, names)
        for key in MEASURES
        if key in values
    )


def withdrawn(rows: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
    """Take the values back: masks that are withheld are not to be measured.

    Parameters
    ----------
    rows : tuple of Measurement
        As measured.

    Returns
    -------
    tuple of Measurement
        The same measures, none with a value; a reason that stands stays.
    """
    return tuple(
        row if row.value is None else replace(row, value=None, reason=str(Reason.WITHHELD))
        for row in rows
    )


def _row(instance: int, level: str, key: str, value: Quantity) -> Measurement:
    about = MEASURES[key]
    if not isinstance(value, Reason) and not about.low <= value <= about.high:
        value = Reason.OUTSIDE_PLAUSIBLE_RANGE
    if isinstance(value, Reason):
        return Measurement(instance=instance, level=level, measure=key, reason=str(value))
    rounded = round(float(value), about.decimals) + 0.0  # turns -0.0 into 0.0
    return Measurement(instance=instance, level=level, measure=key, value=rounded)


def _level(spine: MeasuredSpine, instance: int, names: Mapping[int, str] | None) -> str:
    """Name of a vertebra, or both names around a disc."""
    if not names:
        return ""
    if instance <= DISC_OFFSET:
        return names.get(instance, "")
    above, below = instance - DISC_OFFSET, spine.next_below(instance - DISC_OFFSET)
    lower = SACRUM_NAME if below is None else names.get(below)
    return f"{names[above]}/{lower}" if above in names and lower else ""


def _all_values(
    spine: MeasuredSpine, names: Mapping[int, str] | None
) -> Iterator[tuple[int, Values]]:
    for number in cranial_to_caudal({*spine.vertebrae, *spine.discs}):
        if number in spine.bodies:
            shape = spine.bodies[number]
            vertebra = {**_vertebra(spine, number), **_slip(spine, number)}
            yield number, {**vertebra, **_in_the_canal(spine, shape)}
        if number in spine.discs:
            shape = spine.discs[number]
            yield DISC_OFFSET + number, {**_disc(spine, number), **_in_the_canal(spine, shape)}
    if spine.vertebrae:
        yield WHOLE_SPINE, {**_curves(spine, names), **_coronal(spine)}


def _volume_ml(mask: PlacedMask | None) -> Quantity:
    if mask is None:
        return Reason.NOT_PRESENT
    if any(mask.cut_zyx):
        return Reason.CUT_BY_IMAGE_BORDER
    return mask.volume_mm3 / _MM3_PER_ML


def _heights(shape: Shape | Reason) -> tuple[Quantity, Quantity, Quantity]:
    return (shape,) * 3 if isinstance(shape, Reason) else shape.heights_mm


def _vertebra(spine: MeasuredSpine, number: int) -> Values:
    anterior, middle, posterior = _heights(spine.bodies[number])
    wedge = combined(lambda a, p: a / p, anterior, posterior)
    biconcavity = combined(lambda m, p: m / p, middle, posterior)
    crush = combined(lambda p, other: p / other, posterior, _posterior_around(spine, number))
    return {
        "vertebra_volume": _volume_ml(spine.instance(number)),
        "body_volume": _volume_ml(spine.body(number)),
        "body_anterior_height": anterior,
        "body_middle_height": middle,
        "body_posterior_height": posterior,
        "wedge_ratio": wedge,
        "biconcavity_ratio": biconcavity,
        "crush_ratio": crush,
        "genant_grade_proposed": combined(genant_grade, wedge, biconcavity, crush),
    }


def _posterior_around(spine: MeasuredSpine, number: int) -> Quantity:
    """Mean posterior height of the measured neighbours."""
    place = spine.vertebrae.index(number)
    around = spine.vertebrae[max(place - 1, 0) : place] + spine.vertebrae[place + 1 : place + 2]
    heights = [_heights(spine.bodies[other])[2] for other in around]
    known = [height for height in heights if not isinstance(height, Reason)]
    return float(np.mean(known)) if known else Reason.NO_NEIGHBOUR


def _slip(spine: MeasuredSpine, number: int) -> Values:
    shape, below = spine.bodies[number], spine.upper_end_below(number)
    own = shape if isinstance(shape, Reason) else shape.inferior
    slip: Quantity
    percent: Quantity
    if isinstance(own, Reason):
        slip = percent = own
    elif isinstance(below, Reason):
        slip = percent = Reason.NO_NEIGHBOUR
    else:
        slip = slip_mm(own, below)
        percent = _PERCENT * slip / below.depth_mm
    is_backward = not isinstance(slip, Reason) and slip < 0.0
    grade = Reason.BACKWARD_SLIP if is_backward else combined(meyerding_grade, slip, percent)
    return {"slip": slip, "slip_percent": percent, "meyerding_grade_proposed": grade}


def _disc(spine: MeasuredSpine, number: int) -> Values:
    anterior, middle, posterior = _heights(spine.discs[number])
    mean = combined(lambda *heights: float(np.mean(heights)), anterior, middle, posterior)
    around = _middle_around_disc(spine, number)
    index = combined(lambda height, bodies: height / bodies, mean, around)
    return {
        "disc_volume": _volume_ml(spine.instance(DISC_OFFSET + number)),
        "disc_anterior_height": anterior,
        "disc_middle_height": middle,
        "disc_posterior_height": posterior,
        "disc_height_index": index,
    }


def _middle_around_disc(spine: MeasuredSpine, number: int) -> Quantity:
    """Mean middle height of the bodies above and below a disc; the sacrum has none."""
    below = spine.next_below(number)
    around = (number,) if below is None else (number, below)
    heights = [_heights(spine.bodies.get(body, Reason.NOT_PRESENT))[1] for body in around]
    if any(isinstance(height, Reason) for height in heights):
        return Reason.NO_NEIGHBOUR
    return combined(lambda *known: float(np.mean(known)), *heights)


def _in_the_canal(spine: MeasuredSpine, shape: Shape | Reason) -> Values:
    across = shape if isinstance(shape, Reason) else canal_frame(shape.frame, spine.canal_lps)
    found = {}
    for name, mask in ((CANAL, spine.canal), (CORD, spine.cord)):
        if isinstance(across, Reason) or mask is None:
            reason = across if isinstance(across, Reason) else Reason.NOT_PRESENT
            section = CrossSection.without(reason)
        else:
            section = cross_section(mask, across, spine.extent, as_ellipse=name == CORD)
        found[f"{name}_ap_diameter"] = section.diameter_mm
        found[f"{name}_area"] = section.area_mm2
    return found


def _curves(spine: MeasuredSpine, names: Mapping[int, str] | None) -> Values:
    surfaces = named_surfaces(spine.bodies, spine.sacrum, names)
    sacrum: EndSurface | Reason = spine.sacrum
    slope = sacrum if isinstance(sacrum, Reason) else sagittal_tilt_degrees(sacrum)
    curves = {key: curve_degrees(surfaces, curve) for key, curve in CURVES.items()}
    return {**curves, "sacral_slope": slope}


def _coronal(spine: MeasuredSpine) -> Values:
    keys = ("coronal_cobb", "coronal_cobb_upper_vertebra", "coronal_cobb_lower_vertebra")
    if spine.slice_distance_mm > THICKEST_SLICES_MM:
        return dict.fromkeys(keys, Reason.SLICES_TOO_THICK)
    lines = {}
    for number, shape in spine.bodies.items():
        mask = spine.body(number)
        if isinstance(shape, Reason) or mask is None:
            continue
        both = coronal_lines(mask, shape)
        if both is not None:
            lines[number] = both
    cobb = coronal_cobb(lines)
    if isinstance(cobb, Reason):
        return dict.fromkeys(keys, cobb)
    return dict(zip(keys, map(float, cobb), strict=True))
