"""What a cohort would do, told without doing it: for ``--dry-run``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.cohort.conduct import checking
from app.cohort.discovery import cases_of, open_dataset
from app.cohort.folder import CohortFolder, require_usable
from operators.dicom.reading.series import scan, scan_files
from operators.dicom.selection.series_selection import SelectionSettings, decide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from app.cohort.cases import CohortCase, Source
    from app.cohort.conduct import CohortJob
    from app.cohort.discovery import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What would become of a case.

    Attributes
    ----------
    case : CohortCase
        With its sources.
    is_done : bool
        Published already.
    to_segment : int
        Images, and stacks that are worth segmenting.
    reasons : tuple of str
        Why series of it, or a source as a whole, would not be segmented; free of patient data.
    """

    case: CohortCase
    is_done: bool
    to_segment: int
    reasons: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain dict."""
        return {
            "subject": self.case.subject,
            "session": self.case.session,
            "folder": str(self.case.folder),
            "sources": [source.name for source in self.case.sources],
            "done": self.is_done,
            "to_segment": self.to_segment,
            "reasons": list(self.reasons),
        }


def outlooks(job: CohortJob, stop: Event) -> Iterator[Outlook]:
    """Tell what would become of every case; reads headers, loads no network, writes nothing.

    Parameters
    ----------
    job : CohortJob
        As for `app.cohort.conduct.conduct`.
    stop : Event
        Set it to end.

    Raises
    ------
    SpineError
        As there, of data set and output folder.
    """
    require_usable(job.dataset, job.output)
    dataset = open_dataset(job.dataset, job.output, job.layout)
    folder = CohortFolder(dataset.output)
    settings = SelectionSettings(**job.settings.selection.model_dump())
    check = checking(stop)
    for case in cases_of(dataset, check):
        check()
        found = [_look(dataset, source, settings) for source in case.sources]
        yield Outlook(
            case=case,
            is_done=folder.published(case) is not None,
            to_segment=sum(count for count, _ in found),
            reasons=tuple(dict.fromkeys(reason for _, reasons in found for reason in reasons)),
        )


def _look(
    dataset: Dataset, source: Source, settings: SelectionSettings
) -> tuple[int, tuple[str, ...]]:
    given = source.below(dataset.root)
    if not isinstance(given, tuple) and not given.exists():
        return 0, ("missing_input",)
    if not source.series_uids:
        return 1, ()
    series = (scan_files(given) if isinstance(given, tuple) else scan(given)).series
    decisions = decide(series, settings)
    against = (r for one in decisions if not one.accepted for r in one.reasons if r.decides)
    names = tuple(dict.fromkeys(reason.name for reason in against if not reason.speaks_for))
    return sum(len(one.stacks) for one in decisions), names
