"""How far a job is."""

import pytest

from app.node.journal.engine import reading
from app.node.journal.overview import find_job
from app.node.web.site import Site
from app.node.web.steps import Step, steps_of


def steps(site: Site, job_id: str) -> list[Step]:
    with reading(site.engine) as connection:
        row = find_job(connection, job_id)
    assert row is not None
    return steps_of(row)


@pytest.mark.parametrize(
    ("job_id", "places"),
    [
        ("j-waiting", ["next"] * 11),
        ("j-running", ["done"] * 3 + ["now"] + ["next"] * 7),
        ("j-succeeded", ["done"] * 11),
        ("j-dead", ["done"] * 4 + ["now"] + ["next"] * 6),
    ],
)
def test_steps_before_the_current_one_are_done(site: Site, job_id: str, places: list[str]):
    assert [step.place for step in steps(site, job_id)] == places


def test_times_come_from_the_record_of_the_run(site: Site):
    seconds = {step.name: step.seconds for step in steps(site, "j-succeeded")}
    assert seconds["segment_semantic"] == 21.4
    assert seconds["prepare"] is None
