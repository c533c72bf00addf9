"""The rules of the quality gate: one row each, with its limit, where that comes from, and words.

Limits were chosen on synthetic spines (40, and the alarms of 230 more) and the 30 SPIDER subjects
(reference masks); ``tests.benchmarks.quality_gate`` reports on others (``app/decisions/0022``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from operators.anatomy.levels import PROBABLE_LEVEL
from operators.spine.confidence import LOW_AGREEMENT, LOW_CONFIDENCE
from operators.spine.quality import doubt_measures, image_measures, mask_measures
from operators.spine.quality.findings import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from operators.spine.quality.evidence import Evidence
    from operators.spine.quality.mask_measures import Values

RATIO, MM, MM3 = "1", "mm", "mm3"
_ANY: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes
    ----------
    name : str
        In records, journal and logs.
    outcome : Outcome
        What becomes of a result that breaks it.
    text : str
        What it means, for people.
    measure : callable
        Gives values by place.
    about : str
        What is measured, in words.
    unit : str
        UCUM.
    least, most : float
        Both limits belong to what is in order.
    origin : str
        Where the limits come from.
    """

    name: str
    outcome: Outcome
    text: str
    measure: Callable[[Evidence], Values]
    about: str
    unit: str = RATIO
    least: float = -_ANY
    most: float = _ANY
    origin: str


RULES: Final = (
    # Order, gaps, double and missing levels.
    Rule(
        name="vertebrae_out_of_order",
        outcome=Outcome.WITHHOLD,
        text="Vertebrae are not numbered from head to foot",
        measure=mask_measures.drops_mm,
        about="how far a body lies below the one with the number before",
        unit=MM,
        least=3.0,
        origin="smallest in 40 synthetic spines 9 mm, an infant's neck 8 mm",
    ),
    Rule(
        name="vertebra_missing",
        outcome=Outcome.WITHHOLD,
        text="A vertebra seems to be missing between two others",
        measure=mask_measures.step_ratios,
        about="distance of neighbouring bodies over 1.27 times the tallest of those around",
        most=1.5,
        origin="one missing gives 1.7 or more; at most 1.28 in 40 synthetic spines",
    ),
    Rule(
        name="vertebra_divided",
        outcome=Outcome.WITHHOLD,
        text="One vertebra seems to have two numbers",
        measure=mask_measures.span_ratios,
        about="reach of two neighbouring bodies together over the height of those around",
        least=1.3,
        origin="one divided gives 1.0 to 1.25, two flat ones with their disc 1.38 or more",
    ),
    Rule(
        name="vertebrae_merged",
        outcome=Outcome.WITHHOLD,
        text="Two vertebrae seem to have one number",
        measure=mask_measures.tallness_ratios,
        about="height of a body over the tallest of those around",
        most=1.45,
        origin="two with their disc give 1.7 or more; at most 1.2 among fractured ones",
    ),
    Rule(
        name="vertebra_in_pieces",
        outcome=Outcome.WITHHOLD,
        text="A vertebral body lies in two places",
        measure=mask_measures.second_pieces,
        about="share of a body that is not connected with the rest of it",
        most=0.25,
        origin="two bones under one number give 0.3 to 0.5; at most 0.18 in 40 synthetic spines",
    ),
    Rule(
        name="sacrum_as_vertebra",
        outcome=Outcome.FLAG,
        text="A piece of the sacrum seems to have been taken for a vertebra",
        measure=doubt_measures.sacral_pieces,
        about="confidence of the level, where it is a piece of the sacrum",
        most=PROBABLE_LEVEL,
        origin="from here on the level is said to be probable; an L6 above a sacrum can look so",
    ),
    # Sizes and shapes.
    Rule(
        name="canal_size_unusual",
        outcome=Outcome.WITHHOLD,
        text="The canal is too narrow or too wide all along: the voxel size may be wrong",
        measure=mask_measures.canal_depths_mm,
        about="depth of the canal, median over the bodies",
        unit=MM,
        least=9.5,
        most=20.0,
        origin="12 to 17 mm in 40 synthetic spines, 10 to 17 mm in SPIDER's references",
    ),
    Rule(
        name="body_size_unusual",
        outcome=Outcome.FLAG,
        text="A vertebral body is too shallow or too deep",
        measure=mask_measures.depths_mm,
        about="depth of a body from front to back",
        unit=MM,
        least=8.0,
        most=50.0,
        origin="C3 15 mm (Panjabi et al. 1991), a child's two thirds; L5 35 mm and two fifths more",
    ),
    Rule(
        name="body_flat",
        outcome=Outcome.FLAG,
        text="A vertebral body is very flat: a fracture, or part of it was not found",
        measure=mask_measures.height_ratios,
        about="height of a body over that of those around",
        least=0.33,
        origin="Genant grade 3 begins at 0.6; a vertebra plana keeps a quarter",
    ),
    Rule(
        name="column_with_gaps",
        outcome=Outcome.FLAG,
        text="Something between two vertebral bodies was not labelled",
        measure=mask_measures.unlabelled_shares,
        about="share without a label of the line from one body's centre to the next",
        most=0.2,
        origin="a lost disc gives 0.25 to 0.35; at most 0.05 in 40 synthetic spines",
    ),
    Rule(
        name="disc_missing",
        outcome=Outcome.FLAG,
        text="There is no disc between two vertebral bodies: fused, or not found",
        measure=mask_measures.disc_shares,
        about="share of disc of the line from one body's centre to the next",
        least=0.02,
        origin="smallest in 40 synthetic spines 0.075, with collapsed discs",
    ),
    Rule(
        name="canal_missing",
        outcome=Outcome.FLAG,
        text="The spinal canal was not found behind some vertebral bodies",
        measure=mask_measures.canal_shares,
        about="share of the bodies with a canal behind",
        least=0.75,
        origin="smallest in 40 synthetic spines 0.91, in SPIDER's references 0.86",
    ),
    # Left and right, field of view.
    Rule(
        name="left_right_exchanged",
        outcome=Outcome.WITHHOLD,
        text="Left and right are exchanged in the labels",
        measure=mask_measures.side_shares,
        about="share of the left and right parts on their side of the vertebral body",
        least=0.8,
        origin="smallest in 40 synthetic spines 0.98; exchanged 0.02",
    ),
    Rule(
        name="field_of_view_cut",
        outcome=Outcome.FLAG,
        text="The image ends within the vertebral bodies, in front or behind",
        measure=mask_measures.cut_bodies,
        about="bodies of whose largest section two fifths lie on such a border",
        most=1.0,
        origin="none in 230 synthetic spines; at the end of a curved one one may leave the field",
    ),
    Rule(
        name="stack_ends_in_canal",
        outcome=Outcome.FLAG,
        text="The stack of slices ends within the spinal canal, or beside it",
        measure=mask_measures.canals_on_the_side,
        about="share of the bodies with seven tenths of their canal's largest section on a side",
        most=0.4,
        origin="a curved spine leaves a stack of 59 mm with one end: 0.33 or less in 230",
    ),
    # What the networks say of themselves.
    Rule(
        name="low_confidence",
        outcome=Outcome.FLAG,
        text="The network was not certain",
        measure=doubt_measures.confidences,
        about="mean probability of what was decided",
        least=LOW_CONFIDENCE,
        origin="if calibrated, fewer than 3 in 5 voxels are right below it",
    ),
    Rule(
        name="low_agreement",
        outcome=Outcome.FLAG,
        text="The folds of the network disagree",
        measure=doubt_measures.agreements,
        about="mean share of the folds that decided so by themselves",
        least=LOW_AGREEMENT,
        origin="more than one answer in five differs below it",
    ),
    Rule(
        name="bodies_doubtful",
        outcome=Outcome.WITHHOLD,
        text="The network was not certain of the vertebral bodies, on which all else rests",
        measure=doubt_measures.body_confidences,
        about="mean probability of the vertebral bodies",
        least=LOW_CONFIDENCE,
        origin="as low_confidence; bodies are the largest and most certain structure",
    ),
    # Contrast, artefacts, implants.
    Rule(
        name="contrast_not_t2w",
        outcome=Outcome.WITHHOLD,
        text="Fluid is not brighter than bone marrow: no T2-weighted image",
        measure=image_measures.fluid_ratios,
        about="brightness of the canal's fluid over that of the vertebral marrow",
        least=1.3,
        origin="T1w 0.4, proton density 1.1; at least 1.6 in SPIDER, 2.1 in T2w synthetic spines",
    ),
    Rule(
        name="marrow_suppressed",
        outcome=Outcome.FLAG,
        text="Bone marrow is nearly dark: fat suppression, STIR, or disease of the marrow",
        measure=image_measures.fluid_ratios,
        about="brightness of the canal's fluid over that of the vertebral marrow",
        most=6.0,
        origin="STIR 6 to 11 in synthetic spines; at most 5.8 in SPIDER",
    ),
    Rule(
        name="marrow_uneven",
        outcome=Outcome.FLAG,
        text="Brightness varies strongly within the vertebral bodies: artefacts or disease",
        measure=image_measures.roughness,
        about="spread of brightness within bodies over the contrast of fluid to marrow",
        most=0.5,
        origin="at most 0.26 in 40 synthetic spines, 0.38 in SPIDER",
    ),
    Rule(
        name="noise_high",
        outcome=Outcome.FLAG,
        text="The image is very noisy",
        measure=image_measures.noise,
        about="noise over the contrast of fluid to marrow",
        most=0.2,
        origin="the bundled models' training images reach 0.12, SPIDER 0.02",
    ),
    Rule(
        name="ghosts",
        outcome=Outcome.FLAG,
        text="The image repeats itself: ghosts of motion, flow or folding",
        measure=image_measures.ghosts,
        about="strongest echo along rows or columns in the image's cepstrum",
        most=0.18,
        origin="a ghost of 6 % gives 0.04, of 25 % 0.22 or more, a folded rim 0.155; SPIDER 0.03",
    ),
    Rule(
        name="signal_void",
        outcome=Outcome.FLAG,
        text="Part of a vertebra gives no signal: an implant, cement or dense bone",
        measure=image_measures.voids_mm3,
        about="largest connected part, from the body on, below a fifth of the marrow over 1.5 mm",
        unit=MM3,
        most=500.0,
        origin="a screw of 5 mm in 25 mm of bone has 490 mm3",
    ),
    Rule(
        name="masks_beside_image",
        outcome=Outcome.WITHHOLD,
        text="The masks fit the image better some millimetres away from where they are",
        measure=image_measures.displaced_fits,
        about="fit of the masks' edges 3 to 15 mm away over their fit in place",
        most=1.12,
        origin="at most 1.05 in 40 synthetic spines, 1.00 in SPIDER; 6 mm away 1.2 or more",
    ),
)
"""What is no spine at all never gets here: it is refused (`operators.spine.quality.presence`)."""
