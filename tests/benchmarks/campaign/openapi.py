"""Requests drawn from the node's own OpenAPI document, by schemathesis, at the real page."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.siege import Plan

READS, WRITES = "a request that reads (GET)", "a request that acts (POST)"
FAULTS: Final = (READS, WRITES)


def can_run() -> bool:
    """Whether schemathesis is installed (extra `dev`)."""
    return find_spec("schemathesis") is not None


def run(plan: Plan) -> Findings:
    """As many requests for each operation, valid and invalid ones."""
    # Not at the top: who only reads the table need not have it.
    from tests.benchmarks.campaign.openapi_requests import run_requests  # noqa: PLC0415

    return run_requests(plan)
