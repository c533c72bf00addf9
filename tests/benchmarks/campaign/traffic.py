"""Careless senders: objects in any order and twice, associations that die, halves of objects."""

from __future__ import annotations

from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.siege import Habits, Plan, siege

FAULTS: tuple[str, ...] = (
    "object sent again",
    "association aborted within an object",
    "truncated object, then the whole one",
)


SLICES = 4
"""Of a series: what is tried here is how many there are, and how they come."""
WORK_S = 0.02


def run(plan: Plan) -> Findings:
    """10 % of the objects twice, 5 % of the associations aborted, 2 % of the objects halved."""
    sender = {"repeats": 0.10, "aborts": 0.2, "truncates": 0.1, "slices": SLICES}
    return siege(plan, {}, Habits(sender=sender, most_waiting=20, work_s=WORK_S))
