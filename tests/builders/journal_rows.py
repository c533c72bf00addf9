"""Rows of the journal with sensible values; a test names only what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.node.journal import tables

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

DEFAULTS: dict[str, dict[str, object]] = {
    "instance": {
        "sop_instance_uid": "1.2.3.1.1",
        "digest": "0" * 64,
        "series_uid": "1.2.3.1",
        "study_uid": "1.2.3",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.4",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "path": "series/aa/bb/cc.dcm",
        "size_bytes": 1000,
        "calling_ae_title": "SCANNER",
        "called_ae_title": "SPINENODE",
        "peer_address": "127.0.0.1",
        "association_id": "a1",
        "received_at": 0.0,
        "state": "stored",
        "facts": "{}",
    },
    "series": {
        "series_uid": "1.2.3.1",
        "study_uid": "1.2.3",
        "state": "receiving",
        "revision": 1,
        "calling_ae_title": "SCANNER",
        "called_ae_title": "SPINENODE",
        "first_instance_at": 0.0,
        "last_instance_at": 0.0,
        "last_activity_at": 0.0,
    },
    "job": {
        "job_id": "j1",
        "series_uid": "1.2.3.1",
        "study_uid": "1.2.3",
        "revision": 1,
        "content_digest": "c" * 64,
        "state": "waiting",
        "priority": 50,
        "created_at": 0.0,
        "clock": 0.0,
    },
    "result": {
        "job_id": "j1",
        "name": "a_semantic.dcm",
        "kind": "segmentation",
        "path": "results/j1/a_semantic.dcm",
        "digest": "d" * 64,
        "size_bytes": 1000,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.66.4",
        "sop_instance_uid": "2.25.1",
        "series_uid": "2.25.2",
    },
    "study": {"study_uid": "1.2.3", "arrived_at": 0.0, "calling_ae_title": "SCANNER"},
    "patient": {
        "study_uid": "1.2.3",
        "patient_name": "",
        "name_key": "",
        "patient_id": "",
        "birth_date": "",
        "accession_number": "",
        "study_date": "",
        "study_description": "",
    },
    "delivery": {
        "delivery_id": "d1",
        "job_id": "j1",
        "sop_instance_uid": "2.25.1",
        "destination": "pacs",
        "state": "queued",
        "created_at": 0.0,
    },
}


def insert(connection: Connection, table: str, **values: object) -> None:
    """Insert one row; the rest of its columns have default values."""
    connection.execute(tables.METADATA.tables[table].insert().values({**DEFAULTS[table], **values}))
