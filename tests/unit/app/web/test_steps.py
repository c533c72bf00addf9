"""How far a job is."""

from pathlib import Path

import pytest

from app.journal.engine import reading
from app.journal.overview import find_job
from app.web.steps import Step, steps_of
from app.web.wording import STEPS
from tests.builders.filled_journal import fill
from tests.builders.web_site import site_of

REPOSITORY = Path(__file__).parents[4]


def steps(tmp_path: Path, job_id: str) -> list[Step]:
    site = site_of(tmp_path)
    fill(site.engine)
    with reading(site.engine) as connection:
        row = find_job(connection, job_id)
    assert row is not None
    return steps_of(row)


@pytest.mark.parametrize(
    ("job_id", "places"),
    [
        ("j-waiting", ["next"] * 8),
        ("j-running", ["done"] * 3 + ["now"] + ["next"] * 4),
        ("j-succeeded", ["done"] * 8),
        ("j-dead", ["done"] * 4 + ["now"] + ["next"] * 3),
    ],
)
def test_steps_before_the_current_one_are_done(tmp_path: Path, job_id: str, places: list[str]):
    assert [step.place for step in steps(tmp_path, job_id)] == places


def test_times_come_from_the_record_of_the_run(tmp_path: Path):
    seconds = {step.name: step.seconds for step in steps(tmp_path, "j-succeeded")}
    assert seconds["segment_semantic"] == 21.4
    assert seconds["prepare"] is None


def test_every_operator_of_the_graph_is_a_step_in_its_order():
    text = (REPOSITORY / "app" / "graph.py").read_text(encoding="utf-8")
    places = [text.index(f'"{name}"') for name in STEPS if name not in {"prepare", "publish"}]
    assert places == sorted(places)
