"""Named reasons: why a series is or isn't worth segmenting, readable by people and programs.

Names are stable ``snake_case`` words; details carry counts, milliseconds, millimetres and degrees
and never what an operator typed about a patient. This module decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that a header says for or against segmenting a series.

    Attributes
    ----------
    name : str
        Stable machine-readable name, such as ``sagittal`` or ``short_inversion_time``.
    detail : str
        The figures behind it, free of patient data; may be empty.
    speaks_for : bool
        True where it speaks for segmenting the series.
    decides : bool
        False for a hint: it is listed but changes no decision.
    """

    name: str
    detail: str
    speaks_for: bool
    decides: bool = True


def in_favour(name: str, detail: str = "") -> Reason:
    """Build a reason that a series needs in order to be accepted."""
    return Reason(name, detail, speaks_for=True)


def against(name: str, detail: str = "") -> Reason:
    """Build a reason that alone rejects a series."""
    return Reason(name, detail, speaks_for=False)


def hint(name: str, detail: str = "", *, speaks_for: bool) -> Reason:
    """Build a reason that is listed but decides nothing."""
    return Reason(name, detail, speaks_for=speaks_for, decides=False)


def is_rejected(reasons: tuple[Reason, ...]) -> bool:
    """Whether any of the reasons rejects the series by itself."""
    return any(reason.decides and not reason.speaks_for for reason in reasons)
