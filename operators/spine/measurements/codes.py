"""Codes of the measures and their methods, for reports that machines read.

SNOMED CT has a concept for a volume and for Cobb's angle; for heights, ratios and diameters of the
spine none could be confirmed, so these have codes of our own scheme and say in words what they are.

References
----------
DICOM PS3.16 CID 7469 (volume), 218 (Cobb angle), 7464 and 3627 (derivations).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.anatomy.coded_values import CodedValue
from operators.anatomy.codes import LOCAL_SCHEME, Concept
from operators.spine.measurements.table import MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from operators.spine.measurements.measure import Measurement


def _own(value: str, meaning: str) -> Concept:
    return Concept(value, meaning, LOCAL_SCHEME)


_VOLUME: Final = Concept("118565006", "Volume")
_COBB_ANGLE: Final = Concept("285285000", "Cobb angle")

_CALCULATED: Final = Concept("258090004", "Calculated")
_MAXIMUM: Final = Concept("56851009", "Maximum")

_VOXELS: Final = _own("METHOD-VOXELS", "Sum of all voxels of the segment")
_SIX_POINTS: Final = _own("METHOD-6-POINTS", "Six mid-sagittal points (Hurxthal 1968, Genant 1993)")
_GENANT: Final = _own("METHOD-GENANT", "By ratios of heights (Genant et al. 1993)")
_SLIP: Final = _own("METHOD-SLIP", "Posterior ends, along the disc (Frobin et al. 1997)")
_TAILLARD: Final = _own("METHOD-TAILLARD", "By the depth of the lower vertebra (Taillard 1954)")
_MEYERDING: Final = _own("METHOD-MEYERDING", "By quarters of the slip in percent (Meyerding 1932)")
_DISC: Final = _own("METHOD-DISC", "A tenth of the depth inside its ends (after Frobin 1997)")
_DISC_INDEX: Final = _own("METHOD-DISC-IDX", "Mean height by that of the bodies (Chen et al. 2022)")
_SECTION: Final = _own("METHOD-SECTION", "Across its own axis (Ulrich et al. 1980)")
_ELLIPSE: Final = _own("METHOD-CORD", "Across the canal's axis (Frostell et al. 2016)")
_COBB: Final = _own("METHOD-COBB", "Angle between end surfaces, lying (Cobb 1948)")
_SLOPE: Final = _own("METHOD-SLOPE", "Against the scanner's axial plane (Legaye et al. 1998)")

_CODES: Final[dict[str, tuple[Concept, Concept, Concept | None]]] = {
    "vertebra_volume": (_VOLUME, _VOXELS, None),
    "body_volume": (
        _own("BODY-VOLUME", "Volume of vertebral body without endplates"), _VOXELS, None,
    ),
    "body_anterior_height": (
        _own("BODY-HEIGHT-ANT", "Anterior height of vertebral body"), _SIX_POINTS, None,
    ),
    "body_middle_height": (
        _own("BODY-HEIGHT-MID", "Middle height of vertebral body"), _SIX_POINTS, None,
    ),
    "body_posterior_height": (
        _own("BODY-HEIGHT-POST", "Posterior height of vertebral body"), _SIX_POINTS, None,
    ),
    "wedge_ratio": (
        _own("WEDGE-RATIO", "Anterior by posterior height of vertebral body"),
        _SIX_POINTS, _CALCULATED,
    ),
    "biconcavity_ratio": (
        _own("BICONCAVITY", "Middle by posterior height of vertebral body"),
        _SIX_POINTS, _CALCULATED,
    ),
    "crush_ratio": (
        _own("CRUSH-RATIO", "Posterior height by that of the neighbouring bodies"),
        _SIX_POINTS, _CALCULATED,
    ),
    "genant_grade_proposed": (
        _own("GENANT-PROPOSED", "Genant grade of vertebral fracture, proposed"),
        _GENANT, _CALCULATED,
    ),
    "slip": (_own("SLIP", "Slip of vertebral body over the next one"), _SLIP, None),
    "slip_percent": (
        _own("SLIP-PERCENT", "Slip by the depth of the next upper end surface"),
        _TAILLARD, _CALCULATED,
    ),
    "meyerding_grade_proposed": (
        _own("MEYERDING-PROP", "Meyerding grade of slip, proposed"), _MEYERDING, _CALCULATED,
    ),
    "disc_volume": (_VOLUME, _VOXELS, None),
    "disc_anterior_height": (
        _own("DISC-HEIGHT-ANT", "Anterior height of intervertebral disc"), _DISC, None,
    ),
    "disc_middle_height": (
        _own("DISC-HEIGHT-MID", "Middle height of intervertebral disc"), _DISC, None,
    ),
    "disc_posterior_height": (
        _own("DISC-HEIGHT-POST", "Posterior height of intervertebral disc"), _DISC, None,
    ),
    "disc_height_index": (_own("DISC-HEIGHT-IDX", "Disc height index"), _DISC_INDEX, _CALCULATED),
    "canal_ap_diameter": (
        _own("CANAL-AP", "Anteroposterior diameter of vertebral canal"), _SECTION, None,
    ),
    "canal_area": (_own("CANAL-AREA", "Cross-sectional area of vertebral canal"), _SECTION, None),
    "cord_ap_diameter": (
        _own("CORD-AP", "Anteroposterior diameter of spinal cord"), _ELLIPSE, None,
    ),
    "cord_area": (_own("CORD-AREA", "Cross-sectional area of spinal cord"), _ELLIPSE, None),
    "lumbar_lordosis": (
        _own("LORDOSIS-LUMBAR", "Lumbar lordosis, L1 superior to S1 superior"), _COBB, None,
    ),
    "thoracic_kyphosis": (
        _own("KYPHOSIS-THORAC", "Thoracic kyphosis, T4 superior to T12 inferior"), _COBB, None,
    ),
    "cervical_lordosis": (
        _own("LORDOSIS-CERVIC", "Cervical lordosis, C2 inferior to C7 inferior"), _COBB, None,
    ),
    "sacral_slope": (_own("SACRAL-SLOPE", "Sacral slope"), _SLOPE, None),
    "coronal_cobb": (_COBB_ANGLE, _COBB, _MAXIMUM),
    "coronal_cobb_upper_vertebra": (
        _own("COBB-UPPER-END", "Number of the upper end vertebra of the Cobb angle"), _COBB, None,
    ),
    "coronal_cobb_lower_vertebra": (
        _own("COBB-LOWER-END", "Number of the lower end vertebra of the Cobb angle"), _COBB, None,
    ),
}  # fmt: skip
"""Measure -> its name, its method and, where it follows from other values, how."""


def coded(rows: Iterable[Measurement]) -> tuple[CodedValue, ...]:
    """Code the measurements that have a value.

    Parameters
    ----------
    rows : iterable of Measurement
        In order.

    Returns
    -------
    tuple of CodedValue
        In the same order, without those that are not given.
    """
    return tuple(
        CodedValue(
            instance=row.instance,
            structure=MEASURES[row.measure].structure,
            concept=concept,
            value=row.value if MEASURES[row.measure].decimals else int(row.value),
            unit=MEASURES[row.measure].unit,
            method=method,
            derivation=derivation,
        )
        for row in rows
        if row.value is not None
        for concept, method, derivation in [_CODES[row.measure]]
    )
