"""Step 1: the input -> one case per stack worth segmenting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monai.deploy.core import Operator

from operators.case import Case
from operators.dicom.identity.uids import digest
from operators.dicom.reading.input_files import counted, is_nifti, nothing_found
from operators.dicom.reading.series import scan, scan_files
from operators.dicom.selection.series_selection import SeriesDecision, decide
from operators.dicom.selection.split_acquisition import SPLIT_ACQUISITION
from operators.errors import GeometryError, SeriesUnsuitableError
from operators.imaging.result_files import case_name
from operators.imaging.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from operators.dicom.reading.series import SeriesRecord
    from operators.dicom.selection.series_selection import SelectionSettings


IN_MEMORY: Final = "image"
"""Key of the case of an image that has no file."""


class SelectSeriesOperator(Operator):
    """Emit ``cases``: the accepted series of a DICOM folder or of files, or one image."""

    NAME = "select_series"

    def __init__(
        self,
        fragment: Any,
        *args: Any,
        source: Path | tuple[Path, ...] | Volume,
        settings: SelectionSettings,
        on_decisions: Callable[[tuple[SeriesDecision, ...]], None],
        on_passed_over: Callable[[dict[str, int]], None],
        **kwargs: Any,
    ) -> None:
        """Keep the input, what to select, and whom to tell about series and what was not read."""
        self._source = source
        self._settings = settings
        self._on_decisions = on_decisions
        self._on_passed_over = on_passed_over
        super().__init__(fragment, *args, **{"name": self.NAME, **kwargs})

    def setup(self, spec: Any) -> None:
        """Declare the output ``cases``."""
        spec.output("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Look at the input once."""
        decided = self._on_decisions, self._on_passed_over
        op_output.emit(find_cases(self._source, self._settings, *decided), "cases")


def find_cases(
    source: Path | tuple[Path, ...] | Volume,
    settings: SelectionSettings,
    on_decisions: Callable[[tuple[SeriesDecision, ...]], None],
    on_passed_over: Callable[[dict[str, int]], None],
) -> tuple[Case, ...]:
    """One case per accepted stack, and a failed one per acquisition that is in pieces.

    A NIfTI file, and an image in memory, are one case.

    Raises
    ------
    UnreadableInputError
        If the input holds no readable image: ``missing_input``, or ``no_dicom`` with the names of
        what is there instead (`operators.dicom.reading.input_files`).
    SeriesUnsuitableError
        If no series is a sagittal T2-weighted spine series.
    """
    if isinstance(source, Volume):
        return (Case(key=IN_MEMORY, volume=source),)
    if isinstance(source, tuple):
        found = scan_files(source)
    elif source.is_file() and is_nifti(source):
        return (Case(key=case_name(source), nifti=source),)
    else:
        found = scan(source)
    if not found.series:
        raise nothing_found(found.passed_over, len(found.unreadable))
    on_passed_over(counted(found.passed_over, len(found.unreadable)))
    decisions = decide(found.series, settings)
    on_decisions(decisions)
    cases = (*_accepted(decisions), *_in_pieces(decisions))
    if not cases:
        raise SeriesUnsuitableError(
            f"none of {len(decisions)} series is a sagittal T2-weighted spine series",
            reasons=tuple(
                sorted({r.name for d in decisions for r in d.reasons if not r.speaks_for})
            ),
        )
    return cases


def _accepted(decisions: Sequence[SeriesDecision]) -> Iterator[Case]:
    for decision in decisions:
        for chosen in decision.stacks:
            key = key_of(chosen.record) + chosen.identity.suffix
            yield Case(key=key, series=chosen.record, stack=chosen.identity)


def _in_pieces(decisions: Sequence[SeriesDecision]) -> Iterator[Case]:
    """Acquisitions spread over many series: refused once, not once per series."""
    series = {decision.series.series_uid: decision.series for decision in decisions}
    for parts in sorted({decision.parts for decision in decisions if decision.parts}):
        first = series[min(parts)]
        error = GeometryError(
            f"{len(parts)} series are parts of one acquisition", reasons=(SPLIT_ACQUISITION,)
        )
        yield Case(key=key_of(first), series=first, failure=error)


def key_of(stack: SeriesRecord) -> str:
    """Short name of a series without patient data: its number and part of a digest.

    Examples
    --------
    >>> from operators.dicom.reading.series import SeriesRecord
    >>> key_of(SeriesRecord("1.2.3", "1.2", (), ()))
    'series0_8c8e4a0e'
    """
    number = stack.frames[0].header.get("SeriesNumber") if stack.frames else None
    return f"series{int(number or 0)}_{digest([stack.series_uid])[:8]}"
