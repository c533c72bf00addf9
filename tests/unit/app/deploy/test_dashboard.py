"""The Grafana dashboard asks for what the node exports, and for all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.telemetry.metrics import Measurements, exposition

DASHBOARD = Path(__file__).resolve().parents[4] / "app" / "deploy" / "grafana" / "spine-node.json"
PREFIX = "spine_node_"
STATES = {
    "spine_node_series": set(map(str, SeriesState)),
    "spine_node_jobs": set(map(str, JobState)),
    "spine_node_deliveries": set(map(str, DeliveryState)),
}
ADDED = {"instance"}
"""By Prometheus, to whatever it scrapes."""


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """Name of every sample -> its labels."""
    told = Measurements(
        objects={"stored": 1},
        association_outcomes={"released": 1},
        rejected_contexts={"no_reason": 1},
        series={"held": 1},
        jobs={"dead": 1},
        deliveries={("pacs", "held"): 1},
        attention={("job_failed", "alarm"): 1},
        certificates={"listener": 1.0},
        heartbeat_age_s={"worker": 1.0},
        steps={"publish": (1, 1.0)},
        open_circuits={"pacs": True},
    )
    families = text_string_to_metric_families(exposition(told).decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def panels() -> list[dict[str, object]]:
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert isinstance(found, list)
    return found


def queries() -> list[str]:
    return [
        target["expr"]
        for panel in panels()
        for target in panel["targets"]  # type: ignore[attr-defined]
    ]


def selections(query: str) -> list[tuple[str, str]]:
    """Metric and what stands in its braces."""
    return re.findall(rf"({PREFIX}\w+)\{{([^}}]*)\}}", query)


def test_every_metric_is_exported_and_every_exported_one_is_shown(exported: dict[str, set[str]]):
    asked = {name for query in queries() for name in re.findall(rf"{PREFIX}\w+", query)}
    assert asked - exported.keys() == set()
    assert {name for name in exported if not name.endswith("_created")} - asked == set()


def test_every_label_is_one_of_its_metric(exported: dict[str, set[str]]):
    for query in queries():
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", query))))
        for name, braces in selections(query):
            labels = exported[name] | ADDED
            assert set(re.findall(r"(\w+)(?:=|!)", braces)) <= labels, query
            assert grouped <= labels, query


def test_every_state_that_is_asked_for_exists():
    seen = set()
    for query in queries():
        for name, braces in selections(query):
            for states in re.findall(r'state[=!]~?"([^"]+)"', braces):
                assert set(states.split("|")) <= STATES[name], query
                seen.add(name)
    assert seen == STATES.keys()


def test_panels_have_a_place_a_title_and_words_and_their_legends_show_what_they_group_by():
    places = set()
    for panel in panels():
        assert panel["title"]
        assert str(panel["description"]).endswith(".")
        place = panel["gridPos"]
        assert isinstance(place, dict)
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & places
        assert max(x for x, _ in cells) < 24
        places |= cells
        for target in panel["targets"]:  # type: ignore[attr-defined]
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))
            assert used == set(re.findall(r"\w+", grouped)), target["expr"]
