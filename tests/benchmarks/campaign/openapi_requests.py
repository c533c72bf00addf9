"""The requests of `openapi`, and what the page answers to them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.node.journal.engine import journal_url, open_journal
from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.openapi import READS, WRITES
from tests.benchmarks.campaign.siege import Plan
from tests.builders.filled_journal import PACS, fill, series_uid_of
from tests.builders.node_processes import NodeProcess, role_command, write_config

CHECKS: Final[list[Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
NOT_READY: Final = 503
"""What `/readyz` answers where no listener and no worker run: it is told as such."""
_SETTINGS: Final = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
KNOWN: Final = {
    "job_id": "j-succeeded",
    "delivery_id": "d-parked",
    "series_uid": series_uid_of("held"),
}
"""What is in the journal."""


@contextmanager
def page(folder: Path) -> Iterator[str]:
    """Address of the page of a node with a journal full of everything."""
    data = folder / "data"
    data.mkdir(parents=True)
    with closing_journal(data) as engine:
        fill(engine, data)
    peer = {"name": PACS, "ae_title": "PACS", "host": "127.0.0.1", "port": 104}
    config = write_config(
        folder / "app.yaml", {"data": str(data), "peers": [peer], "web": {"port": 0}}
    )
    process = NodeProcess("web", role_command("web", config), folder / "web.log")
    process.start()
    try:
        process.wait_ready()
        yield f"http://127.0.0.1:{process.port}"
    finally:
        process.kill()


@contextmanager
def closing_journal(data: Path) -> Iterator[Any]:
    engine = open_journal(journal_url(data, None))
    try:
        yield engine
    finally:
        engine.dispose()


def run_requests(plan: Plan) -> Findings:
    """As many requests for each operation, valid and invalid ones."""
    found = Findings()
    with page(plan.folder) as address:
        schema = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
        operations = [result.ok() for result in schema.get_all_operations()]
        end = time.monotonic() + plan.deadline_s
        for operation in operations:
            if time.monotonic() > end:
                break
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                cases = operation.as_strategy(generation_mode=mode)
                if mode is GenerationMode.POSITIVE:
                    cases = cases.map(aimed)
                drawn = Drawn(cases, max(1, plan.times // (2 * len(operations))), plan.seed)
                _try(operation, drawn, found)
    return found


@dataclass(frozen=True)
class Drawn:
    """Cases, how many, and by which seed."""

    cases: Any
    count: int
    seed: int


def aimed(case: Case) -> Case:
    """Half of the valid requests ask for what is there."""
    parameters = case.path_parameters or {}
    for name, known in KNOWN.items():
        if name in parameters and len(str(parameters[name])) % 2:
            parameters[name] = known
    return case


def _try(operation: Any, drawn: Drawn, found: Findings) -> None:
    @seed(drawn.seed)
    @settings(_SETTINGS, max_examples=drawn.count)
    @given(case=drawn.cases)
    def one(case: Case) -> None:
        response = case.call(headers={"X-Spine-Node": "campaign"}, timeout=20)
        kind = READS if operation.method == "get" else WRITES
        found.came_out(kind, f"answered {response.status_code}")
        if response.status_code == NOT_READY and operation.path == "/readyz":
            return
        try:
            case.validate_response(response, checks=CHECKS)
        except (Failure, FailureGroup) as failure:
            for each in getattr(failure, "exceptions", [failure]):
                title = getattr(each, "title", type(each).__name__)
                found.note("not refused", f"{operation.label}: {title}: {response.status_code}")

    try:
        one()
    except Unsatisfiable:
        pass  # nothing invalid can be said to some operations
    except Exception as error:  # noqa: BLE001 - any other error is a finding
        found.note("not refused", f"{operation.label}: {type(error).__name__}: {error}"[:200])
