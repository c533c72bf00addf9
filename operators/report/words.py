"""The words of a report: columns, curves, reasons and limits, as tables."""

from __future__ import annotations

from typing import Final

from operators.anatomy.labels import DISC_OFFSET

BODY, DISC = 0, DISC_OFFSET
"""Where a column's measure is found: at instance X or at its disc, 100 + X."""

COLUMNS: Final[tuple[tuple[str, tuple[tuple[str, str, int], ...]], ...]] = (
    (
        "Body height, mm",
        (
            ("ant", "body_anterior_height", BODY),
            ("mid", "body_middle_height", BODY),
            ("post", "body_posterior_height", BODY),
        ),
    ),
    (
        "Height ratios",
        (
            ("wedge", "wedge_ratio", BODY),
            ("bic", "biconcavity_ratio", BODY),
            ("crush", "crush_ratio", BODY),
            ("G", "genant_grade_proposed", BODY),
        ),
    ),
    (
        "Slip on next",
        (
            ("mm", "slip", BODY),
            ("%", "slip_percent", BODY),
            ("M", "meyerding_grade_proposed", BODY),
        ),
    ),
    (
        "Disc below, mm",
        (
            ("ant", "disc_anterior_height", DISC),
            ("mid", "disc_middle_height", DISC),
            ("post", "disc_posterior_height", DISC),
            ("DHI", "disc_height_index", DISC),
        ),
    ),
    (
        "Canal, mm, mm²",
        (
            ("body", "canal_ap_diameter", BODY),
            ("disc", "canal_ap_diameter", DISC),
            ("area", "canal_area", DISC),
        ),
    ),
    ("Cord", (("AP", "cord_ap_diameter", DISC), ("area", "cord_area", DISC))),
)
"""Groups of columns: heading, then short name, measure and place of each."""

CURVE_NAMES: Final = {
    "cervical_lordosis": "Cervical lordosis",
    "thoracic_kyphosis": "Thoracic kyphosis",
    "lumbar_lordosis": "Lumbar lordosis",
    "sacral_slope": "Sacral slope",
    "coronal_cobb": "Coronal Cobb angle",
}

REASON_WORDS: Final[dict[str, str]] = {
    "cut_by_image_border": "cut off by the image's border",
    "structure_not_present": "not in the image, or not found",
    "surface_not_found": "no end surface found",
    "neighbour_not_measured": "a neighbour it is compared with is not measured",
    "graded_forward_only": "backward slips are not graded",
    "outside_plausible_range": "outside the plausible range: measure by hand",
    "levels_unknown": "its levels are not named without reserve",
    "level_not_measured": "one of its levels is not measured",
    "slices_too_thick": "slices are too thick",
    "too_few_vertebrae": "too few vertebrae",
    "result_withheld": "the quality gate withholds the result",
}
"""Why a measure has no value (`operators.spine.measurements.quantities.Reason`)."""

LIMITS: Final = (
    (
        "All values are measured on the masks of a network: where a mask is wrong, so are they. "
        "Compare with the picture and the images."
    ),
    (
        "Lying patient, slices as scanned: curves and slips are smaller than standing ones. Areas "
        "are given from a width of 3.5 slices on."
    ),
    (
        "Grades (G: Genant, M: Meyerding) follow from ratios and slips alone and are proposals. "
        "Genant defined his for T4 to L4."
    ),
    (
        "A level with ? is probable; a number instead of a level is the running number in the "
        "masks. Transitional vertebrae outside the image cannot be seen."
    ),
    (
        "Not examined: signal, tumour, infection, herniation, foramina, soft tissue. A value "
        "without a flag is not a normal finding."
    ),
)

SHORT_NAMES: Final = (
    "wedge: anterior by posterior height; bic: middle by posterior; crush: posterior by that of "
    "the neighbours; slip: + forward, - backward; DHI: disc by body height; canal: behind the "
    "middle of body and disc, cord included, area at the disc; cord: at the disc."
)
"""Explains the names of the columns."""
