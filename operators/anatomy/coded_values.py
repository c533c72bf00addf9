"""A measured value with its codes: what is said of one structure in a report for machines.

How it is measured is the business of `operators.spine.measurements`, how it is written that of
`operators.dicom.results.measurement_report`; both know this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operators.anatomy.codes import Concept


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedValue:
    """One value.

    Attributes
    ----------
    instance : int
        Id in the instance map: X, 100 + X, 26; 0 = the spine as a whole.
    structure : str
        What is measured: ``vertebra`` or ``vertebral_body`` X, ``disc`` 100 + X, ``canal`` or
        ``cord`` behind either, ``spine``.
    concept : Concept
        Name of the measure.
    value : float
        In `unit`.
    unit : str
        UCUM.
    method : Concept
        How it is measured.
    derivation : Concept or None
        How the value comes from several ones.
    """

    instance: int
    structure: str
    concept: Concept
    value: float
    unit: str
    method: Concept
    derivation: Concept | None = None
