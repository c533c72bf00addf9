"""Measurements with the codes of their measures, for reports that machines read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.anatomy.coded_values import CodedValue
from operators.spine.measurements.definitions import MEASURES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from operators.spine.measurements.measure import Measurement


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
            structure=measure.structure,
            concept=measure.concept,
            value=row.value if measure.decimals else int(row.value),
            unit=measure.unit,
            method=measure.method,
            derivation=measure.derivation,
        )
        for row in rows
        if row.value is not None
        for measure in [MEASURES[row.measure]]
    )
