"""The steps of a job in their order: name, words for people, part of the time, operator.

The graph, the console, the page, the progress of a job and `spine_node.steps` are made of this
table. A new step is a row here and its module in ``operators``; one that takes more than cases and
whom to tell gets it in `app.run.graph`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """One row.

    Attributes
    ----------
    name : str
        As in records, in the journal and in JSON; of an operator, its module in ``operators``.
    words : str
        For the console and the page.
    share : float
        Part of the time of a job, about (lumbar series, bundled models); in any unit, as only
        ratios count.
    is_operator : bool
        False for what the node does before and after the graph.
    """

    name: str
    words: str
    share: float
    is_operator: bool = True

    @property
    def operator_name(self) -> str:
        """Name of the class in its module.

        Examples
        --------
        >>> Step("measure_spine", "Measure", 0.02).operator_name
        'MeasureSpineOperator'
        """
        return "".join(part.capitalize() for part in self.name.split("_")) + "Operator"


STEPS: Final = (
    Step("prepare", "Gather the images", 0.02, is_operator=False),
    Step("select_series", "Select the series", 0.03),
    Step("assemble_volume", "Assemble the volume", 0.05),
    Step("segment_semantic", "Segment structures (phase 1)", 0.50),
    Step("segment_instances", "Separate vertebrae (phase 2)", 0.25),
    Step("postprocess", "Post-process", 0.05),
    Step("label_vertebrae", "Name the vertebrae", 0.01),
    Step("measure_spine", "Measure", 0.02),
    Step("assess_quality", "Judge the quality", 0.01),
    Step("write_segmentation", "Write DICOM SEG", 0.04),
    Step("publish", "Publish and plan deliveries", 0.02, is_operator=False),
)

OPERATORS: Final = tuple(step for step in STEPS if step.is_operator)
"""Those of the graph."""

STEP_WORDS: Final = {step.name: step.words for step in STEPS}


def overall(step: str, fraction: float) -> float:
    """How far a job is.

    Parameters
    ----------
    step : str
        Where it is; empty: not begun.
    fraction : float
        Part of this step that is done.

    Returns
    -------
    float
        In [0, 1]; a step that is not in the table counts as one just before the end.

    Examples
    --------
    >>> round(overall("segment_semantic", 0.5), 2)
    0.35
    """
    if not step:
        return 0.0
    whole = sum(row.share for row in STEPS)
    before = 0.0
    for row in STEPS:
        if row.name == step:
            return min((before + row.share * min(max(fraction, 0.0), 1.0)) / whole, 1.0)
        before += row.share
    return 1.0 - STEPS[-1].share / whole
