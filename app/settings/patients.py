"""Settings of what the node keeps about patients, beside the received objects themselves."""

from __future__ import annotations

from pydantic import Field

from app.settings.section import Section


class PatientSettings(Section):
    """What people find a study by: name, ID, birth date, accession number, date, description."""

    keep: bool = True
    """false: none is kept, those that are kept are deleted, and studies are known by their UIDs."""
    days: float = Field(ge=0, default=90)
    """After the last association that sent the study they are deleted, whatever became of it."""
