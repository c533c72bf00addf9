"""Results of a case's runs -> its published folder, in one rename.

A folder that is there holds everything of its case, the record included; nothing in it depends on
when, where or in how many pieces the cohort was made.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app import __version__
from app.cohort.folder import own_name, write_whole
from app.cohort.rows import rows_of
from app.cohort.sidecars import as_text, sidecar_of
from operators.dicom.identity.uids import digest
from operators.dicom.reading.durable import sync
from operators.imaging.result_files import spineps_stem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from app.cohort.cases import CohortCase, Source
    from app.cohort.folder import CohortFolder

RUN_RECORD: Final = "run.json"
"""In a run's folder, beside its results: `app.run.record.ResultRecord`."""

_DIGITS: Final = 6
_OBJECT: Final = "_desc-dicom"


def publish(folder: CohortFolder, case: CohortCase, runs: Sequence[Path]) -> None:
    """Publish a case; doing so twice is harmless.

    Parameters
    ----------
    folder : CohortFolder
        Output.
    case : CohortCase
        Of the plan.
    runs : sequence of Path
        Folder of the results and record of each of its sources, in their order.

    Raises
    ------
    OSError
        If the disk refuses; what was published before stays.
    """
    if folder.published(case) is None:
        work = folder.work_of(case.case_id)
        final = work / f"final-{own_name()}"
        shutil.rmtree(final, ignore_errors=True)
        final.mkdir(parents=True)
        draft = _Draft(case, final)
        for source, run in zip(case.sources, runs, strict=True):
            draft.take(source, run)
        write_whole(folder.seconds_of(case.case_id), json.dumps(draft.seconds) + "\n")
        write_whole(final / case.record_name, as_text(draft.document()))
        _sync(final)
        _put(final, folder.output / case.folder, work / f"replaced-{own_name()}")
    shutil.rmtree(folder.work_of(case.case_id), ignore_errors=True)


@dataclass
class _Draft:
    """A folder that is being filled."""

    case: CohortCase
    place: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    def take(self, source: Source, run: Path) -> None:
        """Take the results of one run in, under names of this case."""
        record = json.loads((run / RUN_RECORD).read_text("utf-8"))
        names = []
        for entry in record["series"]:
            renamed = self._names_of(source, entry)
            for old, new in renamed.items():
                _link(run / old, self.place / new)
                sidecar = sidecar_of(new, source, record, entry)
                if sidecar is not None:
                    write_whole(self.place / sidecar[0], sidecar[1])
            names.append(tuple(renamed.values()))
        for row, seconds in rows_of(source, record, names):
            self.rows.append(row.as_json())
            self.seconds.append(seconds)
        self.runs.append(_plain(source, record))

    def document(self) -> dict[str, Any]:
        """Record of the case."""
        case = self.case
        return {
            "case_id": case.case_id,
            "subject": case.subject,
            "session": case.session,
            "software": __version__,
            "rows": self.rows,
            "runs": self.runs,
        }

    def _names_of(self, source: Source, entry: Mapping[str, Any]) -> dict[str, str]:
        """Name the files of a series anew, by their names in its run."""
        key, label = entry["key"], self.case.label
        kept = {name: name for name in entry["files"]}
        if not key.startswith(f"{label}_"):
            kept = {name: self._renamed(name, key, "") for name in kept}
        if self._names & set(kept.values()):
            # Another source of this case has the same name in another folder.
            other = digest([source.name])[:_DIGITS]
            kept = {name: self._renamed(name, key, other) for name in kept}
        self._names.update(kept.values())
        return kept

    def _renamed(self, name: str, key: str, other: str) -> str:
        stems = (spineps_stem(key), key)
        rest = next(name[len(s) :] for s in stems if name.startswith(f"{s}_"))
        plain = re.sub(r"[^A-Za-z0-9]", "", key.removeprefix(f"{self.case.prefix}_"))
        # A case of its own to whoever pairs masks by name: the same mask as NIfTI lies beside it.
        kind = _OBJECT if name.endswith(".dcm") else ""
        return f"{self.case.prefix}_acq-{plain}{other}{kind}{rest}"


def _plain(source: Source, record: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a run's record what its files or rows say, and what differs between two runs."""
    kept = ("status", "exit_code", "passed_over", "models", "profile", "error", "notice")
    errors = {e["key"]: e["error"] for e in record["series"] if e["error"] is not None}
    return {"source": source.name, **{key: record[key] for key in kept}, "failures": errors}


def _link(source: Path, target: Path) -> None:
    """Give a file a second name: the work folder stays complete until all is published."""
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _sync(folder: Path) -> None:
    """Have everything on the disk before the rename that publishes it."""
    for path in (*folder.iterdir(), folder):
        sync(path)


def _put(final: Path, target: Path, aside: Path) -> None:
    """Rename a folder to its place; an older one of the same case makes room first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        target.rename(aside)
    final.rename(target)
