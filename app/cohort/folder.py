"""The output folder of a cohort: what is published, and what is kept about it in ``.cohort``.

==========================  =========================================================
``sub-X/[ses-Y/]anat/``     published case: results, sidecars and ``*_cohort.json``
``.cohort/cohort.json``     what the cohort is made with, and when it was begun
``.cohort/cases/``          plan: a file per case
``.cohort/seconds/``        how long its runs took; beside the results, which never differ
``.cohort/work/``           results that are not published yet
``.cohort/locks/``          of the processes at work (`app.node.journal.locks`)
``.cohort/queue.db``        the engine's, unless that has a PostgreSQL database
==========================  =========================================================
"""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from app import __version__
from app.cohort.cases import CohortCase
from app.errors import ConfigurationError, OutputUnwritableError
from app.run.checks import require_folder
from app.run.identity import identity_of

if TYPE_CHECKING:
    from app.settings import Settings

STATE: Final = ".cohort"
_FORMAT: Final = 1
_ID_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class CohortFolder:
    """Places in an output folder.

    Attributes
    ----------
    output : Path
        The folder.
    """

    output: Path

    @property
    def state(self) -> Path:
        """Everything that is not for a reader of results."""
        return self.output / STATE

    def plan_of(self, case_id: str) -> Path:
        """Plan file of a case."""
        return self.state / "cases" / f"{case_id}.json"

    def seconds_of(self, case_id: str) -> Path:
        """File with the seconds of a case's rows."""
        return self.state / "seconds" / f"{case_id}.json"

    def work_of(self, case_id: str) -> Path:
        """Folder for what is not published yet."""
        return self.state / "work" / case_id

    def case(self, case_id: str) -> CohortCase:
        """Read the plan of a case."""
        return CohortCase.from_json(self.plan_of(case_id).read_text("utf-8"))

    def record_of(self, case: CohortCase) -> Path:
        """Where the published record of a case lies."""
        return self.output / case.folder / case.record_name

    def published(self, case: CohortCase) -> dict[str, Any] | None:
        """Record of a case that is done; None where it is not, or was another one's."""
        try:
            record = json.loads(self.record_of(case).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        is_its = isinstance(record, dict) and record.get("case_id") == case.case_id
        return record if is_its else None


def own_name() -> str:
    """Name of this process, among all machines that share the folder."""
    return f"{platform.node()}-{os.getpid()}"


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that exists completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{own_name()}.part")
    temporary.write_bytes(content if isinstance(content, bytes) else content.encode())
    temporary.replace(path)


def write_once(path: Path, content: str) -> None:
    """Write a file, whole, unless somebody has: the first one wins, also among machines."""
    temporary = path.with_name(f".{path.name}.{own_name()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text(content, "utf-8")
    try:
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()


def require_usable(given: Path, output: Path) -> None:
    """Refuse an output folder in which results could meet anything else.

    Raises
    ------
    OutputUnwritableError
        ``output_unwritable``.
    ConfigurationError
        ``output_is_input``: it is the data set, or holds it; ``output_not_empty``: it holds
        something, and no cohort.
    """
    require_folder(output)
    # Not Path.resolve(), which raises for a loop of links.
    target, place = (Path(os.path.realpath(path)) for path in (output, given))
    if place.is_relative_to(target):
        message = "the output folder is the data set or holds it; choose another one"
        raise ConfigurationError(message, reasons=("output_is_input",))
    if (target / STATE).is_dir() or not target.is_dir():
        return
    if any(target.iterdir()):
        message = "the output folder holds something else; choose a new one for the cohort"
        raise ConfigurationError(message, reasons=("output_not_empty",))


@dataclass(frozen=True, slots=True)
class Begun:
    """A cohort that was begun.

    Attributes
    ----------
    cohort_id : str
        Its own, so that several may share a database.
    started : datetime
        The time written into every result: a result does not depend on how often the cohort was
        interrupted.
    """

    cohort_id: str
    started: datetime


def begin(folder: CohortFolder, settings: Settings, now: datetime) -> Begun:
    """Begin a cohort, or go on with one.

    Parameters
    ----------
    folder : CohortFolder
        Output.
    settings : Settings
        Models, and what else changes results.
    now : datetime
        Time of day.

    Returns
    -------
    Begun
        Of the first call.

    Raises
    ------
    ConfigurationError
        ``other_settings``: what lies there was made with other models, settings or software.
    OutputUnwritableError
        ``output_unwritable``.
    ModelUnusableError
        If a model is missing or was changed.
    """
    file = folder.state / "cohort.json"
    document = {
        "format": _FORMAT,
        "identity": identity_of(settings).key("cohort"),
        "cohort": uuid4().hex[:_ID_DIGITS],
        "begun": now.isoformat(),
        "software": __version__,
        "semantic": settings.models.semantic,
        "instance": settings.models.instance,
    }
    try:
        write_once(file, json.dumps(document, indent=1) + "\n")
        found = json.loads(file.read_text("utf-8"))
        begun = Begun(found["cohort"], datetime.fromisoformat(found["begun"]))
    except (OSError, ValueError, LookupError, TypeError) as error:
        message = "the output folder cannot be used: its .cohort/cohort.json"
        raise OutputUnwritableError(message, reasons=("output_unwritable",)) from error
    if found["format"] != _FORMAT or found["identity"] != document["identity"]:
        raise ConfigurationError(
            f"the output folder holds a cohort made by SPINEPS Node {found.get('software')} with "
            f"{found.get('semantic')} and {found.get('instance')}, or with other settings; choose "
            "another folder, so that no cohort mixes the two",
            reasons=("other_settings",),
        )
    return begun
