"""What makes two jobs the same work: content, models, parameters, software. Nothing else counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app import __version__
from app.registry import find_model, folder_digest
from operators.dicom.uids import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.journal.series import HeldObject
    from app.settings import Settings

_ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class WorkIdentity:
    """Everything but the content that a result depends on.

    Attributes
    ----------
    parts : tuple of str
        Digests of the models, settings of the networks, version of the software.
    """

    parts: tuple[str, ...]

    def job_id(self, series_uid: str, content: str) -> str:
        """Id of the job for a content.

        Parameters
        ----------
        series_uid : str
            Series Instance UID.
        content : str
            As `content_digest` gives it.

        Returns
        -------
        str
            32 hexadecimal digits; tells nothing about the patient.
        """
        return digest(("spine-node-job", series_uid, content, *self.parts))[:_ID_DIGITS]


def identity_of(settings: Settings) -> WorkIdentity:
    """Identity of this installation's work.

    Raises
    ------
    ModelUnusableError
        If a model is missing or was changed.
    """
    models = settings.models
    folders = (find_model(models.directory, name) for name in (models.semantic, models.instance))
    inference = settings.inference
    return WorkIdentity(
        (*map(folder_digest, folders), inference.device, inference.precision, __version__)
    )


def content_digest(held: Sequence[HeldObject]) -> str:
    """Digest of the objects of a series, whatever their order."""
    return digest(text for item in sorted(_pairs(held)) for text in item)


def _pairs(held: Sequence[HeldObject]) -> list[tuple[str, str]]:
    return [(item.sop_instance_uid, item.digest) for item in held]
