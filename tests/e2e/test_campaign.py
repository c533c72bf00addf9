"""A short part of the campaign (`make campaign` runs it for hours), with a seed of its own."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.benchmarks.campaign import disks, kills, power
from tests.benchmarks.campaign.disturbance import compiler
from tests.benchmarks.campaign.siege import Habits, Plan, has_pacs, siege

# pynetdicom leaves the socket of a refused connection open.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.skipif(not has_pacs(), reason="there is no foreign PACS (make peers)"),
    pytest.mark.skipif(not compiler(), reason="there is no C compiler"),
]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_kill_9_and_power_loss_lose_nothing_and_double_nothing(tmp_path: Path):
    faults = {**kills.RANDOM, "power loss": power.FAULTS["result to be sent"]}
    plan = Plan(
        folder=tmp_path, seed=7, times=len(faults), studies=100, deadline_s=30, settle_s=200
    )
    found = siege(plan, faults, Habits(disturbs=True, keeps=True))
    gc.collect()  # those sockets are this test's
    assert found.wrong == {}
    # How many there are depends on how busy the machine is.
    assert found.times.total() >= 1
    assert found.traffic["series"] >= 1
    assert found.traffic["acknowledged objects"] == 8 * found.traffic["series"]
    assert found.traffic["results at the PACS"] == 2 * found.traffic["series"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_job_goes_on_when_the_disk_can_be_written_again(tmp_path: Path):
    """The end of a step and that of its workflow cannot be written; connections are read-only."""
    faults = {name: act for name, act in disks.FAULTS.items() if "middle of a job" in name}
    assert faults
    plan = Plan(folder=tmp_path, seed=1, times=8, studies=100, deadline_s=60, settle_s=120)
    found = siege(plan, faults, Habits(disturbs=True))
    gc.collect()  # sockets of refused connections
    assert found.wrong == {}
    assert found.times.total() >= 1
