"""An empty journal on SQLite, and objects that arrive in it as the listener writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.node.journal.arrivals import Arrival, ArrivalOutcome, record_arrival
from app.node.journal.engine import journal_url, open_journal, transaction

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from app.node.journal.facts import ArrivalFacts

SERIES_UID = "1.2.3.1"
STUDY_UID = "1.2.3"


def empty_journal(data: Path) -> Engine:
    """Open a journal in `data`, which is made."""
    data.mkdir(parents=True, exist_ok=True)
    return open_journal(journal_url(data, None))


def arrival(number: int, facts: ArrivalFacts, **changes: object) -> Arrival:
    """Object `number` of the series."""
    plain = Arrival(
        sop_instance_uid=f"{SERIES_UID}.{number + 1}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        digest=f"{number:064x}",
        series_uid=SERIES_UID,
        study_uid=STUDY_UID,
        path=f"series/aa/{number}.dcm",
        size_bytes=1000,
        calling_ae_title="SCANNER",
        called_ae_title="SPINENODE",
        peer_address="127.0.0.1",
        association_id="a1",
        received_at=100.0 + number,
        facts=facts,
    )
    return replace(plain, **changes)


def arrive(engine: Engine, *arrivals: Arrival) -> list[ArrivalOutcome]:
    """Record each arrival in a transaction of its own."""
    outcomes = []
    for one in arrivals:
        with transaction(engine) as c:
            outcomes.append(record_arrival(c, one))
    return outcomes
