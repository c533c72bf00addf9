"""The journal's tables as SQLAlchemy sees them; they are never created from here.

Column types matter only for parameters and results; the schema is `migrations/*.sql`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, String, Table, Text

METADATA: Final = MetaData()


def _table(name: str, keys: str, /, **columns: type) -> Table:
    """Table with its key columns named in `keys` (blank-separated)."""
    primary = set(keys.split())
    return Table(
        name,
        METADATA,
        *(Column(column, kind, primary_key=column in primary) for column, kind in columns.items()),
    )


INSTANCE: Final = _table(
    "instance",
    "sop_instance_uid digest",
    sop_instance_uid=String,
    digest=String,
    series_uid=String,
    study_uid=String,
    sop_class_uid=String,
    transfer_syntax_uid=String,
    path=String,
    size_bytes=BigInteger,
    calling_ae_title=String,
    called_ae_title=String,
    peer_address=String,
    association_id=String,
    received_at=Float,
    state=String,
    facts=Text,
)

SERIES: Final = _table(
    "series",
    "series_uid",
    series_uid=String,
    study_uid=String,
    state=String,
    revision=Integer,
    calling_ae_title=String,
    called_ae_title=String,
    first_instance_at=Float,
    last_instance_at=Float,
    last_activity_at=Float,
    open_associations=Integer,
    expected_count=Integer,
    expected_source=String,
    completeness=Text,
    decision=Text,
    description=Text,
    modality=String,
    is_broken_off=Integer,
    is_forced=Integer,
)

JOB: Final = _table(
    "job",
    "job_id",
    job_id=String,
    series_uid=String,
    study_uid=String,
    revision=Integer,
    predecessor_job_id=String,
    content_digest=String,
    state=String,
    priority=Integer,
    run_number=Integer,
    attempts=Integer,
    created_at=Float,
    clock=Float,
    started_at=Float,
    finished_at=Float,
    worker_id=String,
    step=String,
    fraction=Float,
    cancel_requested=Integer,
    error_code=String,
    error_message=Text,
    record=Text,
)

JOB_INPUT: Final = _table(
    "job_input",
    "job_id sop_instance_uid",
    job_id=String,
    sop_instance_uid=String,
    digest=String,
)

RESULT: Final = _table(
    "result",
    "job_id name",
    job_id=String,
    name=String,
    kind=String,
    path=String,
    digest=String,
    size_bytes=BigInteger,
    sop_class_uid=String,
    sop_instance_uid=String,
    series_uid=String,
)

DELIVERY: Final = _table(
    "delivery",
    "delivery_id",
    delivery_id=String,
    job_id=String,
    sop_instance_uid=String,
    destination=String,
    state=String,
    generation=Integer,
    attempts=Integer,
    created_at=Float,
    released_at=Float,
    next_attempt_at=Float,
    sent_at=Float,
    delivered_at=Float,
    confirmed_by=String,
    last_status=Integer,
    last_error=String,
    is_uncompressed=Integer,
    commit_uid=String,
    commit_asked_at=Float,
)

DESTINATION: Final = _table(
    "destination",
    "name",
    name=String,
    consecutive_failures=Integer,
    open_until=Float,
    last_success_at=Float,
    last_failure_at=Float,
    last_error=String,
    failures=BigInteger,
    confirmed_by=String,
    confirmed_at=Float,
    echo_at=Float,
    echo_error=String,
    objects_taken=String,
)

LEVEL_CORRECTION: Final = _table(
    "level_correction",
    "series_uid content_digest number",
    series_uid=String,
    content_digest=String,
    number=Integer,
    at=Float,
    actor=String,
    job_id=String,
    named=Text,
)

LEVEL_NEIGHBOURS: Final = _table(
    "level_neighbours",
    "series_uid content_digest number",
    series_uid=String,
    content_digest=String,
    number=Integer,
    at=Float,
    stations=Text,
)

STUDY: Final = _table(
    "study",
    "study_uid",
    study_uid=String,
    arrived_at=Float,
    calling_ae_title=String,
    patient_changed_at=Float,
)

PATIENT: Final = _table(
    "patient",
    "study_uid",
    study_uid=String,
    patient_name=String,
    name_key=String,
    patient_id=String,
    birth_date=String,
    accession_number=String,
    study_date=String,
    study_description=String,
)

COUNTER: Final = _table("counter", "name label", name=String, label=String, value=BigInteger)

AUDIT: Final = _table(
    "audit",
    "audit_id",
    audit_id=String,
    at=Float,
    actor=String,
    action=String,
    subject=String,
    detail=Text,
    number=BigInteger,
    role=String,
    address=String,
    digest=String,
)

AUDIT_PLACE: Final = _table("audit_place", "name", name=String, number=BigInteger, digest=String)

ACCOUNT: Final = _table(
    "account",
    "name",
    name=String,
    kind=String,
    role=String,
    secret=String,
    is_disabled=Integer,
    made_at=Float,
    changed_at=Float,
    seen_at=Float,
)

PAGE_SESSION: Final = _table(
    "page_session",
    "digest",
    digest=String,
    name=String,
    way=String,
    role=String,
    began_at=Float,
    seen_at=Float,
)

FAILED_LOG_IN: Final = _table(
    "failed_log_in",
    "kind subject",
    kind=String,
    subject=String,
    failures=Integer,
    last_at=Float,
    locked_until=Float,
)

PROCESS: Final = _table(
    "process", "process_id", process_id=String, role=String, beat=Float, detail=Text
)

ACKNOWLEDGEMENT: Final = _table(
    "acknowledgement", "kind subject", kind=String, subject=String, stamp=Float, at=Float
)

ASSOCIATION: Final = _table(
    "association",
    "association_id",
    association_id=String,
    began_at=Float,
    ended_at=Float,
    calling_ae_title=String,
    called_ae_title=String,
    peer_address=String,
    outcome=String,
    accepted_contexts=Integer,
    rejected_contexts=Text,
    objects=Integer,
    statuses=Text,
    repeats=Integer,
)

ALERT_CHANNEL: Final = _table(
    "alert_channel",
    "name",
    name=String,
    version=Integer,
    told=Text,
    sent_at=Float,
    next_attempt_at=Float,
    failures=Integer,
    failing_since=Float,
    last_error=String,
)
