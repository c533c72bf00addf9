"""One measure of a job's progress: it covers all steps, and it only ever grows."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app import steps
from app.node.journal import runs
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.tables import JOB
from app.steps import STEP_WORDS, STEPS, overall
from tests.builders.journal_rows import insert


def test_all_parts_are_the_whole():
    assert overall("", 0.7) == 0
    assert overall("prepare", 0.0) == 0
    assert overall("publish", 1.0) == pytest.approx(1)


def test_no_two_steps_have_the_same_name_or_words():
    assert len(STEP_WORDS) == len(set(STEP_WORDS.values())) == len(STEPS)


def test_one_more_row_is_a_step_on_the_page_and_in_the_progress(monkeypatch: pytest.MonkeyPatch):
    more = (*STEPS[:4], steps.Step("denoise", "Take the noise out", 0.5), *STEPS[4:])
    monkeypatch.setattr(steps, "STEPS", more)
    assert overall("denoise", 0.0) == pytest.approx(0.6 / 1.5)
    assert overall("denoise", 1.0) == overall("segment_instances", 0.0) == pytest.approx(1.1 / 1.5)
    assert overall("publish", 1.0) == pytest.approx(1)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted), st.integers(0, 7))
def test_further_is_more(fractions: list[float], number: int):
    first, second = list(STEP_WORDS)[number : number + 2]
    low, high = fractions
    assert overall(first, low) <= overall(first, high) <= overall(second, low)


def test_a_second_attempt_does_not_set_the_bar_back(tmp_path: Path):
    engine = open_journal(journal_url(tmp_path, None))
    said = [("select_series", 1.0), ("segment_semantic", 0.8), ("segment_instances", 0.1)]
    seen = []
    with transaction(engine) as c:
        insert(c, "job", state="queued", run_number=1)
        runs.begin(c, "j1", 1, worker_id="w", now=1.0)
        for attempt in range(2):
            for step, fraction in [*said, ("segment_semantic", 0.9)][: 3 + attempt]:
                runs.note_progress(c, "j1", 1, step=step, fraction=fraction)
                row = c.execute(sa.select(JOB.c.step, JOB.c.fraction)).one()
                seen.append(overall(*row))
            runs.note_attempt(c, "j1", 1, attempts=attempt + 1, error_code="SPN-9400")
        runs.note_progress(c, "j1", 1, step="postprocess", fraction=0.0)
        seen.append(overall(*c.execute(sa.select(JOB.c.step, JOB.c.fraction)).one()))
    engine.dispose()
    assert seen == sorted(seen)
    assert seen[-1] == overall("postprocess", 0.0)
