"""Figures for Prometheus, made from the journal."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.node.journal.engine import transaction
from app.node.journal.tables import JOB
from app.node.web.probes import StepClock
from app.node.web.site import Site
from tests.builders.filled_journal import NOW, STUDY
from tests.builders.web_site import client_of


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_journal(site: Site):
    answer = client_of(site).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = samples(answer.text)
    assert found["spine_node_objects_total", "stored"] == 4100
    assert found["spine_node_series", "held"] == 1
    assert found["spine_node_jobs", "running"] == 1
    assert found["spine_node_deliveries", "research", "parked"] == 1
    assert found["spine_node_attention", "delivery_parked", "alarm"] == 1
    assert found["spine_node_attention", "delivery_held", "task"] == 1
    assert found["spine_node_attention", "disk_low", "alarm"] == 0
    assert found["spine_node_needs_person",] == 6
    assert found["spine_node_destination_paused", "research"] == 1
    assert found["spine_node_queue_age_seconds",] == 90
    assert found["spine_node_associations",] == 3
    assert found["spine_node_disk_free_bytes",] == 50_000_000_000
    assert found["spine_node_heartbeat_age_seconds", "worker"] == 2
    assert found["spine_node_step_seconds_sum", "segment_semantic"] == 21.4
    assert found["spine_node_step_seconds_count", "segment_semantic"] == 1


def test_no_figure_names_a_patient_a_series_or_a_job(site: Site):
    text = client_of(site).get("/metrics").text
    assert not re.search(rf"t2_tse|{re.escape(STUDY)}|j-dead|2\.25\.|SCANNER", text)


def test_step_times_are_counted_once_and_late_ones_are_not_lost(site: Site):
    clock = StepClock()
    assert clock.advance(site)["postprocess"] == (1, 2.2)
    assert clock.advance(site)["postprocess"] == (1, 2.2)
    with transaction(site.engine) as connection:
        row = dict(
            connection.execute(JOB.select().where(JOB.c.job_id == "j-succeeded")).mappings().one()
        )
        late = row | {"job_id": "late", "finished_at": NOW - 1300 + 5}
        again = row | {"job_id": "again", "finished_at": NOW + 5}
        connection.execute(JOB.insert(), [late, again])
    assert clock.advance(site)["postprocess"] == (3, pytest.approx(6.6))


def test_more_finished_jobs_than_one_batch_are_all_counted(site: Site):
    with transaction(site.engine) as connection:
        row = dict(
            connection.execute(JOB.select().where(JOB.c.job_id == "j-succeeded")).mappings().one()
        )
        connection.execute(
            JOB.insert(),
            [row | {"job_id": f"n{n}", "finished_at": NOW + n // 700} for n in range(2500)],
        )
    assert StepClock().advance(site)["postprocess"][0] == 2501
