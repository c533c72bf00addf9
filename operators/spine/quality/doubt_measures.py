"""How certain the networks and the names of levels are, for the rules.

Figures of `operators.spine.confidence` and `operators.spine.levels.names`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.anatomy.labels import SACRUM_INSTANCE, Structure
from operators.anatomy.vertebrae import vertebra_text

if TYPE_CHECKING:
    from operators.spine.quality.evidence import Evidence
    from operators.spine.quality.mask_measures import Values


def confidences(evidence: Evidence) -> Values:
    """Mean confidence of every structure and vertebra; none without a network's figures."""
    return {} if evidence.confidence is None else evidence.confidence.by_place


def agreements(evidence: Evidence) -> Values:
    """Mean agreement of the folds, likewise."""
    return {} if evidence.agreement is None else evidence.agreement.by_place


def body_confidences(evidence: Evidence) -> Values:
    """Mean confidence of the vertebral bodies together."""
    name = Structure.CORPUS.name.lower()
    return {place: value for place, value in confidences(evidence).items() if place == name}


def sacral_pieces(evidence: Evidence) -> Values:
    """How probably a vertebra of the masks is a piece of the sacrum, where nothing is more so."""
    return {
        vertebra_text(number).replace(" ", "_"): name.confidence
        for number, name in evidence.levels.items()
        if name.level == SACRUM_INSTANCE
    }
