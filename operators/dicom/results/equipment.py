"""Who made a result and when: equipment items and dates, from the context and never the machine.

What the context means stands in ``provenance``.

References
----------
DICOM PS3.3 C.12.1 (SOP Common: Contributing Equipment Sequence, Timezone Offset From UTC).
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from highdicom import ContributingEquipment
from pydicom.sr.codedict import codes
from pydicom.valuerep import DA, DT, TM

from operators.dicom.identity.provenance import MANUFACTURER, MODEL_NAME

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from operators.dicom.identity.provenance import ResultContext


def own_equipment(context: ResultContext) -> ContributingEquipment:
    """Item that says which software and which networks made the result.

    Parameters
    ----------
    context : ResultContext
        Names and versions.

    Returns
    -------
    ContributingEquipment
        Without a time: `stamp_times` adds it.
    """
    description = (
        f"Automatic segmentation of the spine (SPINEPS method); "
        f"semantic model {context.semantic_model.name} {context.semantic_model.version}, "
        f"instance model {context.instance_model.name} {context.instance_model.version}"
    )
    description = f"{description}; {context.notice}"
    return ContributingEquipment(
        manufacturer=MANUFACTURER,
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=MODEL_NAME,
        software_versions=context.software_version,
        device_serial_number=context.device_serial_number,
        contribution_description=description,
    )


def local_time(clock: datetime, utc_offset: str) -> datetime:
    """Clock in the time zone that the dates copied from the source are in, where it is stated.

    Parameters
    ----------
    clock : datetime
        Aware, or naive wall time of the site.
    utc_offset : str
        The source's Timezone Offset From UTC, such as ``+0100``; empty if not stated.

    Returns
    -------
    datetime
        Naive wall time.

    Examples
    --------
    >>> local_time(datetime.fromisoformat("2026-01-01T23:30:00+00:00"), "+0100").isoformat()
    '2026-01-02T00:30:00'
    """
    if clock.tzinfo is None or not utc_offset:
        return clock.replace(tzinfo=None)
    sign = -1 if utc_offset.startswith("-") else 1
    shift = timedelta(hours=int(utc_offset[-4:-2]), minutes=int(utc_offset[-2:]))
    return clock.astimezone(timezone(sign * shift)).replace(tzinfo=None)


def stamp_times(result: Dataset, when: datetime) -> None:
    """Put the given time wherever highdicom put its own (in place).

    Parameters
    ----------
    result : Dataset
        Root of the object; instance creation, content and series date and time are set, and the
        time of every processing equipment item.
    when : datetime
        Naive wall time.
    """
    for event in ("InstanceCreation", "Content", "Series"):
        setattr(result, f"{event}Date", DA(when.date()))
        setattr(result, f"{event}Time", TM(when.time()))
    for item in result.ContributingEquipmentSequence:
        if item.PurposeOfReferenceCodeSequence[0].CodeValue == codes.DCM.ProcessingEquipment.value:
            item.ContributionDateTime = DT(when)
