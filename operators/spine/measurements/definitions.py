"""What is measured: one row per measure, with unit, definition, source, plausible range and code.

A value outside the plausible range is an error of the masks far more often than a finding, and is
not given. The ranges are wide: from the smallest cervical vertebra of a child to the largest
lumbar one of an adult, and from healthy to severely ill.

SNOMED CT has a concept for a volume and for Cobb's angle; for heights, ratios and diameters of the
spine none could be confirmed, so these have codes of our own scheme and say in words what they are.

References
----------
DICOM PS3.16 CID 7469 (volume), 218 (Cobb angle), 7464 and 3627 (derivations).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from operators.anatomy.codes import LOCAL_SCHEME, Concept

MM, MM2, ML, DEGREES, PERCENT, RATIO = "mm", "mm2", "mL", "deg", "%", "1"
GRADE, IDENTIFIER = "{grade}", "{id}"
"""UCUM units (https://ucum.org); annotations for what has none."""

_DECIMALS: Final = {MM: 2, MM2: 1, ML: 2, DEGREES: 1, PERCENT: 1, RATIO: 3, GRADE: 0, IDENTIFIER: 0}

WHOLE_SPINE: Final = 0
"""Instance of what belongs to no single vertebra or disc."""

SIX_POINTS: Final = "Hurxthal 1968, Am J Roentgenol 103:635; Genant et al. 1993, JBMR 8:1137"
CALIPER: Final = "Ulrich et al. 1980, Radiology 134:137"


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Attributes
    ----------
    key : str
        Name in tables.
    structure : str
        What is measured.
    unit : str
        UCUM.
    low, high : float
        Plausible range; both ends belong to it.
    definition : str
        For a reader of the value.
    concept, method : Concept
        For reports that machines read: its name, and how it is measured.
    source : str
        Where the definition comes from; empty for a plain volume.
    derivation : Concept or None
        How it follows from other values, where it does.
    """

    key: str
    structure: str
    unit: str
    low: float
    high: float
    definition: str
    concept: Concept
    method: Concept
    source: str = ""
    derivation: Concept | None = None

    @property
    def decimals(self) -> int:
        """Digits after the point that a value is given with."""
        return _DECIMALS[self.unit]


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

_BODY: Final = "vertebral_body"
_ROWS: Final = (
    Measure("vertebra_volume", "vertebra", ML, 1, 160,
        "all voxels of body, arch and processes", _VOLUME, _VOXELS),
    Measure("body_volume", _BODY, ML, 0.5, 120,
        "all voxels of the body without its endplates",
        _own("BODY-VOLUME", "Volume of vertebral body without endplates"), _VOXELS),
    Measure("body_anterior_height", _BODY, MM, 4, 50,
        "distance of the front ends of both end surfaces, mid-sagittal; with a quarter of each "
        "end plate",
        _own("BODY-HEIGHT-ANT", "Anterior height of vertebral body"), _SIX_POINTS,
        source=SIX_POINTS),
    Measure("body_middle_height", _BODY, MM, 4, 50,
        "distance of both end surfaces half way from front to back, mid-sagittal; with a quarter "
        "of each end plate",
        _own("BODY-HEIGHT-MID", "Middle height of vertebral body"), _SIX_POINTS,
        source=SIX_POINTS),
    Measure("body_posterior_height", _BODY, MM, 4, 50,
        "distance of the back ends of both end surfaces, mid-sagittal; with a quarter of each "
        "end plate",
        _own("BODY-HEIGHT-POST", "Posterior height of vertebral body"), _SIX_POINTS,
        source=SIX_POINTS),
    Measure("wedge_ratio", _BODY, RATIO, 0.2, 2,
        "anterior by posterior height",
        _own("WEDGE-RATIO", "Anterior by posterior height of vertebral body"), _SIX_POINTS,
        source=SIX_POINTS, derivation=_CALCULATED),
    Measure("biconcavity_ratio", _BODY, RATIO, 0.2, 2,
        "middle by posterior height",
        _own("BICONCAVITY", "Middle by posterior height of vertebral body"), _SIX_POINTS,
        source=SIX_POINTS, derivation=_CALCULATED),
    Measure("crush_ratio", _BODY, RATIO, 0.2, 2,
        "posterior height by the mean posterior height of the measured neighbours",
        _own("CRUSH-RATIO", "Posterior height by that of the neighbouring bodies"), _SIX_POINTS,
        source=SIX_POINTS, derivation=_CALCULATED),
    Measure("genant_grade_proposed", _BODY, GRADE, 0, 3,
        "proposal: 1 from 20 %, 2 from 25 %, 3 from 40 % below 1 in the smallest of the "
        "three ratios; defined for T4 to L4",
        _own("GENANT-PROPOSED", "Genant grade of vertebral fracture, proposed"), _GENANT,
        source="Genant et al. 1993, JBMR 8:1137", derivation=_CALCULATED),
    Measure("slip", _BODY, MM, -25, 60,
        "posterior end of the lower end surface in front of that of the next upper end "
        "surface, along the line between both surfaces; negative: behind",
        _own("SLIP", "Slip of vertebral body over the next one"), _SLIP,
        source="Frobin et al. 1997, Clin Biomech 12 Suppl 1:S1"),
    Measure("slip_percent", _BODY, PERCENT, -80, 150,
        "slip by the depth of the upper end surface below it",
        _own("SLIP-PERCENT", "Slip by the depth of the next upper end surface"), _TAILLARD,
        source="Taillard 1954, Acta Orthop Scand 24:115", derivation=_CALCULATED),
    Measure("meyerding_grade_proposed", _BODY, GRADE, 0, 5,
        "proposal: 1 to 4 by quarters of slip_percent, 5 above 100 %; 0 below 3 mm",
        _own("MEYERDING-PROP", "Meyerding grade of slip, proposed"), _MEYERDING,
        source="Meyerding 1932, Surg Gynecol Obstet 54:371", derivation=_CALCULATED),
    Measure("disc_volume", "disc", ML, 0.05, 45,
        "all voxels of the disc without endplates", _VOLUME, _VOXELS),
    Measure("disc_anterior_height", "disc", MM, 0.5, 28,
        "distance of its surfaces a tenth of its depth behind its front end, mid-sagittal",
        _own("DISC-HEIGHT-ANT", "Anterior height of intervertebral disc"), _DISC,
        source="after Frobin et al. 1997, Clin Biomech 12 Suppl 1:S1"),
    Measure("disc_middle_height", "disc", MM, 0.5, 28,
        "distance of its surfaces half way from front to back, mid-sagittal",
        _own("DISC-HEIGHT-MID", "Middle height of intervertebral disc"), _DISC,
        source="after Frobin et al. 1997, Clin Biomech 12 Suppl 1:S1"),
    Measure("disc_posterior_height", "disc", MM, 0.5, 28,
        "distance of its surfaces a tenth of its depth before its back end, mid-sagittal",
        _own("DISC-HEIGHT-POST", "Posterior height of intervertebral disc"), _DISC,
        source="after Frobin et al. 1997, Clin Biomech 12 Suppl 1:S1"),
    Measure("disc_height_index", "disc", RATIO, 0.02, 1.5,
        "mean of its three heights by the mean middle height of the bodies above and below; "
        "of the body above alone on the sacrum", _own("DISC-HEIGHT-IDX", "Disc height index"),
        _DISC_INDEX, source="one of the definitions in Chen et al. 2022, J Clin Neurosci 103:153",
        derivation=_CALCULATED),
    Measure("canal_ap_diameter", "canal", MM, 2, 35,
        "canal with cord from front to back in its middle, across its own axis",
        _own("CANAL-AP", "Anteroposterior diameter of vertebral canal"), _SECTION, source=CALIPER),
    Measure("canal_area", "canal", MM2, 15, 800,
        "canal with cord, section across its own axis; from a width of 3.5 slices",
        _own("CANAL-AREA", "Cross-sectional area of vertebral canal"), _SECTION, source=CALIPER),
    Measure("cord_ap_diameter", "cord", MM, 1, 18,
        "diameter from front to back of the ellipse with the spread of the cord's section "
        "across the canal's axis", _own("CORD-AP", "Anteroposterior diameter of spinal cord"),
        _ELLIPSE, source="Frostell et al. 2016, Front Neurol 7:238"),
    Measure("cord_area", "cord", MM2, 3, 200,
        "section of the cord across the canal's axis; from a width of 3.5 slices",
        _own("CORD-AREA", "Cross-sectional area of spinal cord"), _ELLIPSE,
        source="Frostell et al. 2016, Front Neurol 7:238"),
    Measure("lumbar_lordosis", "spine", DEGREES, -50, 120,
        "angle between the upper end surfaces of L1 and S1; lying",
        _own("LORDOSIS-LUMBAR", "Lumbar lordosis, L1 superior to S1 superior"), _COBB,
        source="Cobb 1948, AAOS Instr Course Lect 5:261"),
    Measure("thoracic_kyphosis", "spine", DEGREES, -40, 130,
        "angle between the upper end surface of T4 and the lower one of T12; lying",
        _own("KYPHOSIS-THORAC", "Thoracic kyphosis, T4 superior to T12 inferior"), _COBB,
        source="Cobb 1948, AAOS Instr Course Lect 5:261"),
    Measure("cervical_lordosis", "spine", DEGREES, -80, 90,
        "angle between the lower end surfaces of C2 and C7; lying",
        _own("LORDOSIS-CERVIC", "Cervical lordosis, C2 inferior to C7 inferior"), _COBB,
        source="Cobb 1948, AAOS Instr Course Lect 5:261"),
    Measure("sacral_slope", "spine", DEGREES, -30, 90,
        "upper end surface of S1 against the scanner's axial plane; lying",
        _own("SACRAL-SLOPE", "Sacral slope"), _SLOPE,
        source="Legaye et al. 1998, Eur Spine J 7:99"),
    Measure("coronal_cobb", "spine", DEGREES, 0, 150,
        "largest angle to the side between the upper end of one body and the lower end of "
        "another below it; only slices up to 2 mm; lying", _COBB_ANGLE, _COBB,
        source="Cobb 1948, AAOS Instr Course Lect 5:261", derivation=_MAXIMUM),
    Measure("coronal_cobb_upper_vertebra", "spine", IDENTIFIER, 1, 28,
        "id of the upper end vertebra of coronal_cobb",
        _own("COBB-UPPER-END", "Number of the upper end vertebra of the Cobb angle"), _COBB),
    Measure("coronal_cobb_lower_vertebra", "spine", IDENTIFIER, 1, 28,
        "id of the lower end vertebra of coronal_cobb",
        _own("COBB-LOWER-END", "Number of the lower end vertebra of the Cobb angle"), _COBB),
)  # fmt: skip

MEASURES: Final[dict[str, Measure]] = {measure.key: measure for measure in _ROWS}
"""Every measure by its key, in the order in which they are told."""

CURVES: Final[dict[str, tuple[str, str]]] = {
    "lumbar_lordosis": ("L1 superior", "S1 superior"),
    "thoracic_kyphosis": ("T12 inferior", "T4 superior"),
    "cervical_lordosis": ("C2 inferior", "C7 inferior"),
}
"""Curves between named levels: the second surface's tilt minus the first one's."""
