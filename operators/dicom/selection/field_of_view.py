"""How large the imaged region is, for the reader of a decision.

Only hints: sagittal brains and knees overlap with necks in size, and cropped or resampled spines
are smaller than any protocol's field of view. Slice spacing is judged at assembly, not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.dicom.headers.header_values import numbers, positive_number
from operators.dicom.selection.acquisition_plane import slice_normal
from operators.dicom.selection.reasons import Reason, hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

_USUAL_FIELD_MM = (150.0, 520.0)
"""Long side of a sagittal spine image, from an infant's neck to an adult's whole spine."""

_WIDEST_SPINE_MM = 150.0
"""A sagittal spine is covered by 40-120 mm left to right; a head or a pelvis takes more."""

_FEW_SLICES = 5


def judge_field(headers: Sequence[Dataset]) -> tuple[Reason, ...]:
    """Describe the size of the imaged region.

    Parameters
    ----------
    headers : sequence of Dataset
        One per slice, at least one.

    Returns
    -------
    tuple of Reason
        The hints ``spine_sized_field_of_view``, ``unusual_field_of_view``, ``wide_coverage`` and
        ``few_slices``.
    """
    reasons: list[Reason] = []
    field = _long_side_mm(headers[0])
    if field is not None:
        usual = _USUAL_FIELD_MM[0] <= field <= _USUAL_FIELD_MM[1]
        name = "spine_sized_field_of_view" if usual else "unusual_field_of_view"
        reasons.append(hint(name, f"long side {field:.0f} mm", speaks_for=usual))
    coverage = _coverage_mm(headers)
    if coverage is not None and coverage > _WIDEST_SPINE_MM:
        reasons.append(hint("wide_coverage", f"{coverage:.0f} mm across", speaks_for=False))
    if len(headers) < _FEW_SLICES:
        reasons.append(hint("few_slices", f"{len(headers)} slices", speaks_for=False))
    return tuple(reasons)


def _long_side_mm(header: Dataset) -> float | None:
    rows, columns = positive_number(header, "Rows"), positive_number(header, "Columns")
    spacing = numbers(header, "PixelSpacing")
    if rows is None or columns is None or len(spacing) != 2 or min(spacing) <= 0:  # noqa: PLR2004 - PixelSpacing is a pair
        return None
    return max(rows * spacing[0], columns * spacing[1])


def _coverage_mm(headers: Sequence[Dataset]) -> float | None:
    """Distance between the outermost slices along the normal of the first."""
    normal = slice_normal(headers[0])
    positions = [numbers(header, "ImagePositionPatient") for header in headers]
    if normal is None or any(len(position) != len(normal) for position in positions):
        return None
    along = [sum(a * b for a, b in zip(normal, p, strict=True)) for p in positions]
    return max(along) - min(along)
