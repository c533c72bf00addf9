"""The worker's share of telling people what needs them (`app.alerts`)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from app.alerts.rounds import Herald
from app.archive.disk import free_bytes
from app.journal.lookout import Moment

if TYPE_CHECKING:
    from threading import Event, Thread

    from sqlalchemy.engine import Engine

    from app.settings import NodeSettings
    from app.telemetry.logs import Emit


def start_alerts(journal: Engine, node: NodeSettings, emit: Emit, stop: Event) -> Thread:
    """Watch and tell until `stop` is set, in a thread of its own."""

    def moment() -> Moment:
        return Moment(
            now=time.time(), monotonic_s=time.monotonic(), free_bytes=free_bytes(node.data)
        )

    return Herald(journal, node, moment, emit).start(stop)
