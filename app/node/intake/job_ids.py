"""Ids of jobs: the same content of the same series, worked on in the same way, is one job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.dicom.identity.uids import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.node.journal.series import HeldObject
    from operators.dicom.identity.provenance import WorkIdentity

_ID_DIGITS = 32


def job_id_of(
    identity: WorkIdentity, series_uid: str, content: str, words: Sequence[str] = ()
) -> str:
    """Id of the job for a content.

    Parameters
    ----------
    identity : WorkIdentity
        Of this installation.
    series_uid : str
        Series Instance UID.
    content : str
        As `content_digest` gives it.
    words : sequence of str
        What the work depends on beside its images (`app.node.journal.level_inputs`).

    Returns
    -------
    str
        32 hexadecimal digits; tells nothing about the patient.
    """
    return identity.key("spine-node-job", series_uid, content, *words)[:_ID_DIGITS]


def content_digest(held: Sequence[HeldObject]) -> str:
    """Digest of the objects of a series, whatever their order."""
    return digest(text for item in sorted(_pairs(held)) for text in item)


def _pairs(held: Sequence[HeldObject]) -> list[tuple[str, str]]:
    return [(item.sop_instance_uid, item.digest) for item in held]
