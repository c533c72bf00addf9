"""Rows of the journal as the page and the API show them: plain frozen values.

Descriptions and UIDs belong on the page behind the node's door, never in logs or metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """One series with its latest job.

    Attributes
    ----------
    instances : int
        Different objects held, quarantined ones not counted.
    completeness, decision : dict
        As written by the worker: verdict and reasons.
    job_id, job_state : str or None
        Of the latest job of the series.
    """

    series_uid: str
    study_uid: str
    state: str
    revision: int
    calling_ae_title: str
    called_ae_title: str
    first_instance_at: float
    last_instance_at: float
    last_activity_at: float
    instances: int
    expected_count: int | None
    expected_source: str | None
    completeness: dict[str, Any]
    decision: dict[str, Any]
    description: str
    modality: str
    is_forced: bool
    job_id: str | None
    job_state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One segmentation; `record` is the run's `app.run.record.ResultRecord` as plain data."""

    job_id: str
    series_uid: str
    study_uid: str
    revision: int
    predecessor_job_id: str | None
    content_digest: str
    state: str
    priority: int
    run_number: int
    attempts: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    worker_id: str | None
    step: str
    fraction: float
    cancel_requested: bool
    error_code: str | None
    error_message: str | None
    record: dict[str, Any]
    description: str
    calling_ae_title: str
    inputs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One file that a job made; `path` is empty once retention removed it."""

    job_id: str
    name: str
    kind: str
    path: str
    digest: str
    size_bytes: int
    sop_instance_uid: str
    series_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One object on its way to one destination; times are epoch seconds.

    `replaced_by_revision`: something newer exists or is being made, so that it does not go out any
    more; the number is that of its own `revision` where a person corrected it or it was made anew.
    `is_of_another_patient`: made of images that came before their study was another patient's.
    """

    delivery_id: str
    job_id: str
    sop_instance_uid: str
    destination: str
    state: str
    generation: int
    attempts: int
    created_at: float
    released_at: float | None
    next_attempt_at: float | None
    sent_at: float | None
    delivered_at: float | None
    confirmed_by: str
    last_status: int | None
    last_error: str
    is_uncompressed: bool
    commit_asked_at: float | None
    name: str | None
    description: str | None
    revision: int | None
    replaced_by_revision: int | None
    is_of_another_patient: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayRow:
    """One object in quarantine; `path` is relative to the spool."""

    received_at: float
    calling_ae_title: str
    peer_address: str
    size_bytes: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which part of a long list.

    Attributes
    ----------
    states : tuple of str
        Only these; empty: all.
    limit, offset : int
        Rows, newest first.
    """

    states: tuple[str, ...] = ()
    limit: int = 50
    offset: int = 0
