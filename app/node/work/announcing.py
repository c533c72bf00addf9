"""The worker's share of telling people what needs them (`app.node.alerts`)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from app.node.alerts.rounds import Herald
from app.node.archive.disk import free_bytes
from app.node.journal.lookout import Moment

if TYPE_CHECKING:
    from threading import Event, Thread

    from sqlalchemy.engine import Engine

    from app.node.telemetry.logs import Emit
    from app.settings import NodeSettings


def start_alerts(journal: Engine, node: NodeSettings, emit: Emit, stop: Event) -> Thread:
    """Watch and tell until `stop` is set, in a thread of its own."""

    def moment() -> Moment:
        return Moment(
            now=time.time(), monotonic_s=time.monotonic(), free_bytes=free_bytes(node.data)
        )

    return Herald(journal, node, moment, emit).start(stop)
