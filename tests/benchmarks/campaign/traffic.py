"""Careless senders: objects in any order and twice, associations that die, halves of objects."""

from __future__ import annotations

from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.siege import Habits, Plan, siege

FAULTS: tuple[str, ...] = (
    "object sent again",
    "association aborted within an object",
    "truncated object, then the whole one",
)


def run(plan: Plan) -> Findings:
    """10 % of the objects twice, 5 % of the associations aborted, 2 % of the objects halved."""
    sender = {"repeats": 0.10, "aborts": 0.2, "truncates": 0.1}
    return siege(plan, {}, Habits(sender=sender, most_waiting=20))
