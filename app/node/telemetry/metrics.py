"""Prometheus metrics of the node, made at every scrape from counts that are handed in.

Labels come from fixed sets and from the settings only (outcome, state, destination, step, role):
no patient, series or object is ever named. There are no process-wide counters, so that a restart
of the page loses nothing: the journal is what is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """What one scrape tells, as plain values.

    Attributes
    ----------
    objects : mapping
        Outcome -> objects offered to the listener so far.
    association_outcomes, rejected_contexts : mapping
        Outcome of an association, reason of a rejected context -> number so far.
    series, jobs : mapping
        State -> number now.
    deliveries : mapping
        (destination, state) -> number now.
    queue_age_s : float
        Age of the oldest job that waits for a worker, s; 0 without one.
    attention : mapping
        (kind, severity) -> number that needs a person; the alarms' sum is that on the page.
    disk_free_bytes, disk_reserve_bytes : int
        Of the data folder.
    certificates : mapping
        Listener or peer -> end of validity of the certificate that we show, epoch seconds.
    heartbeat_age_s : mapping
        Role -> seconds since the freshest process of that role reported.
    steps : mapping
        Step -> (finished runs, their seconds in total).
    associations : int
        Open at the listener now.
    open_circuits : mapping
        Destination -> whether sending to it is paused.
    """

    objects: Mapping[str, int] = field(default_factory=dict)
    association_outcomes: Mapping[str, int] = field(default_factory=dict)
    rejected_contexts: Mapping[str, int] = field(default_factory=dict)
    series: Mapping[str, int] = field(default_factory=dict)
    jobs: Mapping[str, int] = field(default_factory=dict)
    deliveries: Mapping[tuple[str, str], int] = field(default_factory=dict)
    queue_age_s: float = 0.0
    attention: Mapping[tuple[str, str], int] = field(default_factory=dict)
    disk_free_bytes: int = 0
    disk_reserve_bytes: int = 0
    certificates: Mapping[str, float] = field(default_factory=dict)
    heartbeat_age_s: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    associations: int = 0
    open_circuits: Mapping[str, bool] = field(default_factory=dict)


def exposition(measurements: Measurements) -> bytes:
    """Write the text that Prometheus reads.

    Parameters
    ----------
    measurements : Measurements
        Of this moment.

    Returns
    -------
    bytes
        Text format 0.0.4, UTF-8.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(measurements))
    return generate_latest(registry)


class _Snapshot(Collector):
    """One moment's metric families."""

    def __init__(self, measurements: Measurements) -> None:
        self._now = measurements

    def collect(self) -> Iterator[Metric]:
        now = self._now
        yield _counter("objects", "DICOM objects offered by C-STORE.", "outcome", now.objects)
        yield _counter(
            "association_outcomes",
            "DICOM associations that are over, by how they ended or why they were refused.",
            "outcome",
            now.association_outcomes,
        )
        yield _counter(
            "rejected_contexts",
            "Presentation contexts that were rejected, by reason.",
            "reason",
            now.rejected_contexts,
        )
        yield _gauge("series", "Series by state.", "state", now.series)
        yield _gauge("jobs", "Segmentation jobs by state.", "state", now.jobs)
        deliveries = GaugeMetricFamily(
            "spine_node_deliveries",
            "Result objects by destination and state.",
            labels=["destination", "state"],
        )
        for (destination, state), count in sorted(now.deliveries.items()):
            deliveries.add_metric([destination, state], count)
        yield deliveries
        attention = GaugeMetricFamily(
            "spine_node_attention",
            "What needs a person by kind; tasks are planned work, alarms are not.",
            labels=["kind", "severity"],
        )
        for (kind, severity), count in now.attention.items():
            attention.add_metric([kind, severity], count)
        yield attention
        yield GaugeMetricFamily(
            "spine_node_needs_person",
            "Alarms that wait for a person: the number on the page.",
            sum(count for (_, severity), count in now.attention.items() if severity == "alarm"),
        )
        yield _gauge(
            "destination_paused",
            "1: the circuit breaker is open.",
            "destination",
            {name: int(is_open) for name, is_open in now.open_circuits.items()},
        )
        yield _gauge(
            "heartbeat_age_seconds",
            "Since the freshest process of a role reported.",
            "role",
            now.heartbeat_age_s,
        )
        yield _gauge(
            "certificate_expires_seconds",
            "End of validity of the TLS certificate that is shown, since the epoch.",
            "used_for",
            now.certificates,
        )
        steps = SummaryMetricFamily(
            "spine_node_step_seconds", "Time of the steps of finished jobs.", labels=["step"]
        )
        for step, (count, seconds) in sorted(now.steps.items()):
            steps.add_metric([step], count_value=count, sum_value=seconds)
        yield steps
        yield GaugeMetricFamily(
            "spine_node_associations", "DICOM associations open at the listener.", now.associations
        )
        yield GaugeMetricFamily(
            "spine_node_queue_age_seconds", "Age of the oldest waiting job.", now.queue_age_s
        )
        yield GaugeMetricFamily(
            "spine_node_disk_free_bytes", "Free space of the data folder.", now.disk_free_bytes
        )
        yield GaugeMetricFamily(
            "spine_node_disk_reserve_bytes",
            "Below this much free space objects are refused.",
            now.disk_reserve_bytes,
        )


def _gauge(
    name: str, documentation: str, label: str, values: Mapping[str, float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"spine_node_{name}", documentation, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


def _counter(
    name: str, documentation: str, label: str, values: Mapping[str, int]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"spine_node_{name}", documentation, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family
