"""The text that Prometheus reads."""

from prometheus_client.parser import text_string_to_metric_families

from app.node.telemetry.metrics import Measurements, exposition


def families(measurements: Measurements) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    text = exposition(measurements).decode()
    return {
        family.name: [(s.name, s.labels, s.value) for s in family.samples]
        for family in text_string_to_metric_families(text)
    }


def test_every_figure_has_its_family_and_labels():
    told = families(
        Measurements(
            objects={"stored": 5},
            deliveries={("pacs", "held"): 2},
            steps={"postprocess": (3, 4.5)},
            open_circuits={"pacs": True},
            queue_age_s=7.0,
        )
    )
    assert told["spine_node_objects"] == [("spine_node_objects_total", {"outcome": "stored"}, 5.0)]
    assert told["spine_node_deliveries"][0][1:] == ({"destination": "pacs", "state": "held"}, 2.0)
    assert {(name, value) for name, _, value in told["spine_node_step_seconds"]} == {
        ("spine_node_step_seconds_count", 3.0),
        ("spine_node_step_seconds_sum", 4.5),
    }
    assert told["spine_node_destination_paused"][0][2] == 1.0
    assert told["spine_node_queue_age_seconds"][0][2] == 7.0


def test_two_scrapes_of_the_same_moment_are_the_same_bytes():
    now = Measurements(jobs={"dead": 1, "running": 2}, heartbeat_age_s={"worker": 1.5})
    assert exposition(now) == exposition(now)


def test_a_hostile_label_cannot_forge_a_figure():
    told = families(Measurements(objects={'x"} 1\nspine_node_jobs{state="dead': 1}))
    assert "spine_node_jobs" not in {n for n, samples in told.items() if samples} - {
        "spine_node_objects"
    }
    assert len(told["spine_node_objects"]) == 1
