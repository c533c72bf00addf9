"""SOP Instance UIDs that a sender gave to several images.

The journal takes the newest of several versions of one object, so that a corrected slice replaces
the wrong one. Images of several places under one UID in one association are no versions of each
other: all but one of them would be lost without a word.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.node.journal.facts import ArrivalFacts
from app.node.journal.states import InstanceState
from app.node.journal.tables import INSTANCE

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def count_repeated_uids(c: Connection, series_uid: str) -> int:
    """Count the UIDs under which one association brought images of several places.

    Parameters
    ----------
    c : Connection
        For reading.
    series_uid : str
        Series Instance UID.

    Returns
    -------
    int
        0 for what every standard-conforming sender sends (PS3.3 C.12.1.1.1).
    """
    columns = (INSTANCE.c.sop_instance_uid, INSTANCE.c.association_id, INSTANCE.c.facts)
    several = (
        sa.select(INSTANCE.c.sop_instance_uid)
        .where(INSTANCE.c.series_uid == series_uid, INSTANCE.c.state == InstanceState.STORED)
        .group_by(INSTANCE.c.sop_instance_uid)
        .having(sa.func.count() > 1)
    )
    query = sa.select(*columns).where(
        INSTANCE.c.series_uid == series_uid,
        INSTANCE.c.state == InstanceState.STORED,
        INSTANCE.c.sop_instance_uid.in_(several),
    )
    places = defaultdict(set)
    for uid, association_id, facts in c.execute(query):
        position = ArrivalFacts.from_json(facts).image_position
        if position is not None:
            places[uid, association_id].add(position)
    return len({uid for (uid, _), found in places.items() if len(found) > 1})
