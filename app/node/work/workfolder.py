"""The files of one job: hard links to its inputs before it runs, rows about its results after.

A job sees only the objects it was made for, whatever arrives meanwhile; links cost no space and
outlive a deletion in the spool.
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pydicom

from app.errors import OutputUnwritableError, SpoolError
from app.node.journal.runs import ResultFile
from app.registry import sha256_of
from operators.dicom.identity.result_kinds import SEGMENTATION, kind_of
from operators.dicom.reading.durable import sync

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from app.node.archive.spool import Spool
    from app.node.journal.jobs import JobInput

_NO_LINKS: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})
"""The spool lies on another disk, or on one that knows no hard links: copy."""

_STAGING: Final = ".spine-node-*"
"""What a killed run leaves in the result folder."""


@dataclass(frozen=True, slots=True)
class WorkFolders:
    """Folders of jobs below the data folder.

    Attributes
    ----------
    data : Path
        The node's data folder.
    spool : Spool
        Received files.
    """

    data: Path
    spool: Spool

    def source(self, job_id: str) -> Path:
        """Folder with the inputs of a job."""
        return self.data / "work" / job_id / "input"

    def output(self, job_id: str) -> Path:
        """Folder for the results of a job."""
        return self.data / "results" / job_id

    def prepare(self, job_id: str, inputs: Sequence[JobInput]) -> None:
        """Link the inputs; what is linked already stays.

        Parameters
        ----------
        job_id : str
            Which job.
        inputs : sequence of JobInput
            Every object it works on.

        Raises
        ------
        SpoolError
            If one of them was deleted: the study has to be sent again.
        OSError
            If the disk does not take the links.
        """
        folder = self.source(job_id)
        folder.mkdir(parents=True, exist_ok=True)
        names = set()
        for item in inputs:
            target = folder / f"{item.digest}.dcm"
            names.add(target.name)
            if not target.exists():
                self._link(item, target)
        for other in folder.iterdir():
            if other.name not in names:
                other.unlink()
        for left_over in self.output(job_id).glob(_STAGING):
            shutil.rmtree(left_over, ignore_errors=True)

    def sweep(self, keep: Collection[str], older_than: float) -> int:
        """Remove inputs that a crash after the end of their job left behind.

        Parameters
        ----------
        keep : collection of str
            Jobs that are not over.
        older_than : float
            Epoch seconds; younger ones may belong to a job made since `keep` was read.

        Returns
        -------
        int
            Folders removed.
        """
        count = 0
        for folder in (self.data / "work").glob("*/"):
            if folder.name not in keep and folder.stat().st_mtime < older_than:
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
        return count

    def clear(self, job_id: str) -> None:
        """Remove the inputs; the job is over."""
        shutil.rmtree(self.source(job_id).parent, ignore_errors=True)

    def results(self, job_id: str, record: Mapping[str, Any]) -> list[ResultFile]:
        """Describe the files that a run's record names, after they have reached the disk.

        Parameters
        ----------
        job_id : str
            Which job.
        record : mapping
            `app.run.record.ResultRecord` as plain data.

        Returns
        -------
        list of ResultFile
            In order of their names; at least one is a segmentation.

        Raises
        ------
        OutputUnwritableError
            If a file is missing, of no known kind or no DICOM object, or if there is no
            segmentation: then the run did not do what it says.
        """
        folder = self.output(job_id)
        names = sorted({name for entry in record.get("series", ()) for name in entry["files"]})
        try:
            files = [self._result(folder / name) for name in names]
            for named_in in (folder, folder.parent, self.data):
                sync(named_in)
        except (OSError, pydicom.errors.InvalidDicomError) as error:
            raise OutputUnwritableError(
                f"a result cannot be read back: {type(error).__name__}",
                reasons=("result_missing",),
            ) from error
        if not any(file.kind == SEGMENTATION for file in files):
            raise OutputUnwritableError(
                "the run wrote no segmentation", reasons=("result_missing",)
            )
        return files

    def _link(self, item: JobInput, target: Path) -> None:
        source = self.spool.absolute(item.path)
        if not (item.is_held and source.is_file()):
            message = "received images were deleted; the study has to be sent again"
            raise SpoolError(message, reasons=("images_deleted",))
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            part = target.with_suffix(".part")
            shutil.copyfile(source, part)
            part.replace(target)

    def _result(self, file: Path) -> ResultFile:
        sync(file)
        kind, uids = kind_of(file.name), {}
        if kind is None:
            raise OutputUnwritableError(
                "the run wrote a file of no known kind", reasons=("result_missing",)
            )
        if kind.sop_class_uid:
            header = pydicom.dcmread(file, stop_before_pixels=True)
            uids = {
                "sop_class_uid": str(header.SOPClassUID),
                "sop_instance_uid": str(header.SOPInstanceUID),
                "series_uid": str(header.SeriesInstanceUID),
            }
        return ResultFile(
            name=file.name,
            kind=kind.group,
            path=file.relative_to(self.data).as_posix(),
            digest=sha256_of(file),
            size_bytes=file.stat().st_size,
            **uids,
        )
