"""The same listener on a PostgreSQL journal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.node.journal.alert_channels import ChannelState, channel_state, claim, note_failure
from app.node.journal.associations import (
    Chosen,
    count_outcomes,
    forget_associations_before,
    list_associations,
)
from app.node.journal.attention import (
    Circumstances,
    acknowledge,
    alarms,
    list_found,
    read_attention,
)
from app.node.journal.engine import journal_url, open_journal, transaction
from tests.builders import postgres
from tests.builders.dicom_sender import associated, data_set_of, sop_instance_uid_of
from tests.builders.journal_rows import insert
from tests.builders.listener import running_listener
from tests.builders.mr_series import make_series


def seen_on_postgresql(url: str) -> None:
    """Connections, attention and alerts: the same SQL on the other database."""
    engine = open_journal(journal_url(Path(), url))
    try:
        with transaction(engine) as c:
            rows = list_associations(c, Chosen(text="sender"), limit=9)
            assert [row.objects for row in rows] == [6, 6, 6]
            assert count_outcomes(c, Chosen()) == {"released": 3}
            for number in range(3):
                insert(c, "job", job_id=f"j{number}", state="refused", finished_at=5.25 + number)
            assert list_found(c, "job_refused", limit=1)[0].subject == "j2"
            assert acknowledge(c, "job_refused", 9.0, subject=None, until=6.25) == 2
            assert acknowledge(c, "job_refused", 9.0, subject="j2", until=None) == 1
            assert alarms(read_attention(c, Circumstances(channels=frozenset({"mail"})))) == 0
            assert claim(c, channel_state(c, "mail"), 60.0)
            assert not claim(c, ChannelState(name="mail"), 60.0)
            note_failure(c, "mail", 9.0, error="unreachable", retry_at=39.0)
            assert alarms(read_attention(c, Circumstances(channels=frozenset({"mail"})))) == 1
            assert forget_associations_before(c, 1e12, limit=2) == 2
    finally:
        engine.dispose()


@pytest.mark.skipif(not postgres.can_run(), reason="PostgreSQL is not installed (make peers)")
def test_6_objects_on_3_associations_at_once_are_6_rows_and_12_repeats(tmp_path: Path) -> None:
    sent = make_series(tmp_path / "in", slices=6)
    objects = [(data_set_of(path), sop_instance_uid_of(path)) for path in sent.paths]

    with postgres.postgres_server() as server:
        url = server.new_database()
        with running_listener(tmp_path / "data", node={"database_url": url}) as node:

            def send(_: int) -> list[int | None]:
                with associated(node.port) as sender:
                    return [sender.offer(data, uid) for data, uid in objects]

            with ThreadPoolExecutor(3) as pool:
                answers = [status for some in pool.map(send, range(3)) for status in some]
        seen_on_postgresql(url)
        assert answers == [0] * 18
        assert node.counters() == {"stored": 6, "duplicate": 12}
        (row,) = node.series().values()
        assert (row["state"], row["open_associations"]) == ("receiving", 0)
