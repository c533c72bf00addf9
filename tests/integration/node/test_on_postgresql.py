"""The same listener on a PostgreSQL journal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.builders import postgres
from tests.builders.dicom_sender import associated, data_set_of, sop_instance_uid_of
from tests.builders.listener import running_listener
from tests.builders.mr_series import make_series

if TYPE_CHECKING:
    from pathlib import Path


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
        assert answers == [0] * 18
        assert node.counters() == {"stored": 6, "duplicate": 12}
        (row,) = node.series().values()
        assert (row["state"], row["open_associations"]) == ("receiving", 0)
