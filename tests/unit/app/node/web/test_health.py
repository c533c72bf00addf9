"""Ready or not, and why."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from app.node.journal.engine import reading, transaction
from app.node.journal.locks import holding
from app.node.journal.lookout import HANGING, UNUSABLE
from app.node.journal.tables import PROCESS
from app.node.web.health import check_all
from app.node.web.site import Site
from tests.builders.filled_journal import NOW, fill
from tests.builders.web_site import client_of, site_of


def failing(site: Site) -> set[str]:
    return {check.name for check in check_all(site) if not check.is_good}


def test_a_node_whose_processes_reported_lately_is_ready(site: Site):
    assert failing(site) == set()
    answer = client_of(site).get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"]["disk"]["detail"] == "50000 MB free, 2000 MB reserve"


@pytest.mark.parametrize("role", ["listener", "worker", "web"])
def test_a_process_silent_for_31_s_makes_the_node_unready(site: Site, role: str):
    with transaction(site.engine) as connection:
        connection.execute(PROCESS.update().where(PROCESS.c.role == role).values(beat=NOW - 31))
    assert failing(site) == {role}
    answer = client_of(site).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"][role] == {"ok": False, "detail": "reported 31 s ago"}


def test_one_fresh_worker_of_two_is_enough(site: Site):
    with transaction(site.engine) as connection:
        row = {"process_id": "node2:1", "role": "worker", "beat": NOW - 900, "detail": "{}"}
        connection.execute(PROCESS.insert().values(**row))
    assert failing(site) == set()


def test_a_worker_whose_models_cannot_be_used_is_named_until_another_one_can_work(site: Site):
    failed = json.dumps({UNUSABLE: "start, exit 20, SPN-2000"})
    with transaction(site.engine) as connection:
        connection.execute(PROCESS.update().where(PROCESS.c.role == "worker").values(detail=failed))
    assert failing(site) == {"worker"}
    client = client_of(site)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    detail = "models cannot be used: start, exit 20, SPN-2000"
    assert answer.json()["checks"]["worker"] == {"ok": False, "detail": detail}
    assert "workers whose models cannot be used" in client.get("/attention").text
    with transaction(site.engine) as connection:
        row = {"process_id": "node2:1", "role": "worker", "beat": NOW - 20, "detail": "{}"}
        connection.execute(PROCESS.insert().values(**row))
    assert failing(site) == set()


def test_a_disk_below_its_reserve_is_named(tmp_path: Path):
    site = site_of(tmp_path, free_bytes=1_999_999_999)
    fill(site.engine)
    assert failing(site) == {"disk"}


def test_a_clock_that_jumps_an_hour_changes_nothing(site: Site):
    assert failing(site) == set()
    for jump in (3600.0, -3600.0):
        assert failing(replace(site, clock=lambda jump=jump: NOW + jump)) == set()


def test_silence_is_measured_from_the_last_change_of_a_heartbeat(site: Site):
    assert failing(site) == set()
    later = replace(site, monotonic=lambda: site.monotonic() + 31)
    assert failing(later) == {"listener", "worker", "web"}
    with transaction(site.engine) as connection:
        connection.execute(PROCESS.update().where(PROCESS.c.role == "worker").values(beat=1.0))
    assert failing(replace(later, clock=lambda: 1.0)) == {"listener", "web"}


def test_a_journal_that_does_not_answer_is_named(site: Site):
    with transaction(site.engine) as connection:
        connection.exec_driver_sql("DROP TABLE process")
    assert failing(site) == {"journal"}
    assert client_of(site).get("/readyz").status_code == 503


def test_a_worker_that_was_killed_shows_at_once_though_it_reported_a_moment_ago(site: Site):
    with reading(site.engine) as connection:
        (name,) = connection.execute(
            select(PROCESS.c.process_id).where(PROCESS.c.role == "worker")
        ).scalars()
    with holding(site.node.data, name) as is_ours:
        assert is_ours
        assert failing(site) == set()
    assert failing(site) == {"worker"}
    detail = client_of(site).get("/readyz").json()["checks"]["worker"]["detail"]
    assert detail == "no process is alive"


def test_a_worker_of_which_a_thread_hangs_is_not_ready(site: Site):
    with transaction(site.engine) as connection:
        detail = json.dumps({HANGING: "intake"})
        of_workers = PROCESS.update().where(PROCESS.c.role == "worker")
        connection.execute(of_workers.values(detail=detail))
    assert failing(site) == {"worker"}
    told = client_of(site).get("/readyz").json()["checks"]["worker"]["detail"]
    assert told == "hangs: intake"


def test_a_listener_that_reports_but_whose_port_is_closed_is_not_ready(site: Site):
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        here = {
            "process_id": f"listener@{socket.gethostname()}",
            "detail": json.dumps({"port": port}),
        }
        with transaction(site.engine) as connection:
            connection.execute(PROCESS.update().where(PROCESS.c.role == "listener").values(**here))
        assert failing(site) == set()
    assert failing(site) == {"listener"}
    checks = client_of(site).get("/readyz").json()["checks"]
    assert checks["listener"]["detail"] == f"does not answer on port {port}"
