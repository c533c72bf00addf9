"""Pictures beside what a person decides to release: those that the jobs have drawn already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

import sqlalchemy as sa

from app.node.journal.replaced import is_replaced
from app.node.journal.states import DeliveryState
from app.node.journal.tables import DELIVERY, JOB, RESULT
from operators.dicom.identity.result_kinds import OVERLAY, kind_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.engine import Connection

    from app.node.journal.rows import DeliveryRow

_PER_STUDY: Final = 3


class Thumbnail(NamedTuple):
    """A picture of a job, and the page it leads to."""

    picture: str
    page: str


def of_deliveries(c: Connection, rows: Sequence[DeliveryRow]) -> dict[str, Thumbnail]:
    """Pictures of held results, one beside the first object that it shows.

    Parameters
    ----------
    c : Connection
        Reading.
    rows : sequence of DeliveryRow
        In the order of the page.

    Returns
    -------
    dict
        Delivery id -> picture.
    """
    held = [row for row in rows if row.state == DeliveryState.HELD]
    query = sa.select(RESULT.c.job_id, RESULT.c.name).where(
        RESULT.c.job_id.in_({row.job_id for row in held}), _IS_PICTURE
    )
    names = {(job_id, _key_of(name)): name for job_id, name in c.execute(query)}
    found: dict[str, Thumbnail] = {}
    for row in held:
        # Taken out, so that the objects of one stack have one picture.
        name = names.pop((row.job_id, _key_of(row.name or "")), None)
        if name is not None:
            found[row.delivery_id] = _thumbnail(row.job_id, name)
    return found


def of_studies(c: Connection, study_uids: Collection[str]) -> dict[str, list[Thumbnail]]:
    """Pictures of the results of studies that wait for a release, some of each study."""
    is_to_release = sa.exists().where(
        DELIVERY.c.job_id == JOB.c.job_id, DELIVERY.c.state == DeliveryState.HELD, ~is_replaced()
    )
    query = (
        sa.select(JOB.c.study_uid, JOB.c.job_id, RESULT.c.name)
        .join(RESULT, RESULT.c.job_id == JOB.c.job_id)
        .where(JOB.c.study_uid.in_(study_uids), _IS_PICTURE, is_to_release)
        .order_by(JOB.c.created_at, JOB.c.job_id, RESULT.c.name)
    )
    found: dict[str, list[Thumbnail]] = {}
    for study_uid, job_id, name in c.execute(query):
        of_study = found.setdefault(study_uid, [])
        if len(of_study) < _PER_STUDY:
            of_study.append(_thumbnail(job_id, name))
    return found


def _thumbnail(job_id: str, name: str) -> Thumbnail:
    page = f"/jobs/{quote(job_id, safe='')}"
    return Thumbnail(picture=f"{page}/files/{quote(name, safe='')}", page=page)


def _key_of(name: str) -> str:
    """Key of the case, which begins the names of all results of one stack."""
    kind = kind_of(name)
    return name if kind is None else name.removesuffix(kind.suffix)


_IS_PICTURE: Final = sa.and_(RESULT.c.kind == OVERLAY.group, RESULT.c.path != "")
