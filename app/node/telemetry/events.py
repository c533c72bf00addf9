"""The numbered catalogue of everything the node logs. No free text, no patient data.

Ranges: 100 node (listener), 200 archive, 300 jobs, 400 inference, 500 delivery, 600 web,
700 process. A field that an event does not list is an error in tests and dropped in production.
Allowed fields hold counts, codes, names from the settings, titles and addresses of refused devices,
and keyed hashes (`series`, `job`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""From what is told in detail to what a person has to look at."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the catalogue.

    Attributes
    ----------
    number : int
        Stable; never used again for something else.
    level : str
        Severity.
    text : str
        What happened, a fixed sentence.
    fields : tuple of str
        Names of the values it carries.
    """

    number: int
    level: Level
    text: str
    fields: tuple[str, ...] = ()


CATALOGUE: Final[dict[int, Event]] = {}


def _event(number: int, level: Level, text: str, *fields: str) -> Event:
    if number in CATALOGUE:
        raise ValueError(f"event {number} is defined twice")
    event = Event(number, level, text, fields)
    CATALOGUE[number] = event
    return event


PROCESS_STARTED: Final = _event(700, "info", "process started", "role", "version")
PROCESS_READY: Final = _event(701, "info", "process ready", "role", "port", "duration_s")
PROCESS_STOPPED: Final = _event(702, "info", "process stopped", "role", "reason")
ALERT_SENT: Final = _event(720, "info", "alert sent", "channel", "count")
ALERT_FAILED: Final = _event(721, "error", "alert could not be sent", "channel", "error")
PROCESS_RESTARTED: Final = _event(703, "error", "process died and is started again", "role", "code")
PROCESS_HUNG: Final = _event(704, "error", "process hangs and is killed", "role", "silent_s")
NODE_GIVEN_UP: Final = _event(705, "error", "process cannot run, the node ends", "role", "code")
SETTINGS_RELOADED: Final = _event(706, "info", "settings read anew")
INTENDED_USE_CHANGED: Final = _event(
    609, "warning", "another intended use of the results is set, or none any more", "is_set"
)
SETTINGS_REFUSED: Final = _event(707, "error", "new settings cannot be used, old ones stay", "code")
THREAD_HANGS: Final = _event(708, "error", "thread hangs, no sign of life", "role", "thread")
INTERNAL_ERROR: Final = _event(790, "error", "internal error", "role", "place")

ASSOCIATION_REFUSED: Final = _event(
    101, "warning", "association refused", "reason", "peer", "calling", "called", "address"
)
"""AE titles and addresses name devices; the listener bounds what a stranger says of itself."""
TLS_FAILED: Final = _event(102, "warning", "TLS handshake failed", "reason", "address")
OBJECT_STORED: Final = _event(110, "debug", "object stored", "series", "size_bytes")
OBJECT_DUPLICATE: Final = _event(111, "debug", "object already held", "series")
OBJECT_CHANGED: Final = _event(112, "warning", "known object arrived with other bytes", "series")
OBJECT_QUARANTINED: Final = _event(113, "warning", "object stored, but unusable", "reason")
OBJECT_REFUSED: Final = _event(114, "error", "object refused", "status", "reason", "code")
OWN_RESULT_RETURNED: Final = _event(115, "info", "own result came back, ignored", "series")

SPOOL_SWEPT: Final = _event(201, "info", "left-over temporary files removed", "count")
DISK_LOW: Final = _event(202, "error", "disk below reserve, objects are refused", "free_mb")
DISK_RECOVERED: Final = _event(203, "info", "disk above reserve again", "free_mb")
RETENTION_DELETED: Final = _event(204, "info", "files deleted by policy", "kind", "count")

SERIES_COMPLETE: Final = _event(301, "info", "series complete", "series", "reason", "count")
SERIES_HELD: Final = _event(302, "warning", "series incomplete after deadline", "series", "reason")
SERIES_REJECTED: Final = _event(303, "info", "series not selected", "series", "reason")
JOB_CREATED: Final = _event(310, "info", "job created", "job", "series", "revision")
JOB_STARTED: Final = _event(311, "info", "job started", "job", "attempt")
JOB_SUCCEEDED: Final = _event(312, "info", "job succeeded", "job", "duration_s", "results")
JOB_REFUSED: Final = _event(313, "warning", "job ended without result", "job", "code", "reasons")
JOB_RETRIED: Final = _event(314, "warning", "job attempt failed", "job", "code", "attempt")
JOB_DEAD: Final = _event(315, "error", "job failed for good", "job", "code")
JOB_CANCELLED: Final = _event(316, "info", "job cancelled", "job")
JOB_RENEWED: Final = _event(317, "info", "job goes on as another one", "job", "renewed")
JOB_RENAMED: Final = _event(318, "info", "levels changed by another series, job runs again", "job")
RESULT_WITHHELD: Final = _event(
    319, "warning", "result withheld by the quality gate until a person releases it", "job", "rules"
)
JOBS_TAKEN_OVER: Final = _event(320, "warning", "jobs of a silent worker taken over", "count")
ENGINE_UNREACHABLE: Final = _event(321, "error", "job engine does not answer", "error")
PEER_QUERY_FAILED: Final = _event(322, "warning", "peer could not be asked", "peer", "error")
REPAIR_REQUESTED: Final = _event(323, "info", "missing objects requested", "series", "peer")
ENGINE_ANEW: Final = _event(324, "error", "engine's database damaged, begun anew", "kept_in")

INFERENCE_READY: Final = _event(401, "info", "inference process ready", "profile", "duration_s")
INFERENCE_LOST: Final = _event(402, "error", "inference process lost", "reason")

DELIVERY_SENT: Final = _event(501, "info", "results sent", "job", "peer", "count")
DELIVERY_CONFIRMED: Final = _event(502, "info", "results confirmed at the peer", "job", "peer")
DELIVERY_FAILED: Final = _event(503, "warning", "sending failed", "job", "peer", "error", "attempt")
DELIVERY_PARKED: Final = _event(504, "error", "peer does not take the object", "job", "peer")
DELIVERY_DEAD: Final = _event(505, "error", "delivery failed for good", "job", "peer", "error")
DELIVERY_UNCOMPRESSED: Final = _event(
    508, "info", "peer takes no RLE, results sent uncompressed", "job", "peer", "count"
)
COMMITMENT_REPORTED: Final = _event(
    509, "info", "peer reported on storage commitment", "count", "committed", "failed"
)
DELIVERY_DECLINED: Final = _event(
    511, "warning", "peer does not take such objects, and need not", "job", "peer", "kind"
)
CIRCUIT_OPENED: Final = _event(506, "error", "peer failed repeatedly, pausing", "peer", "pause_s")
CIRCUIT_CLOSED: Final = _event(507, "info", "peer answers again", "peer")

ACTION_TAKEN: Final = _event(601, "info", "action on the page", "action", "subject")
REQUEST_REFUSED: Final = _event(602, "warning", "request refused", "reason")
LOG_IN_REFUSED: Final = _event(620, "warning", "log-in refused", "reason")
AUDIT_SENT: Final = _event(622, "debug", "audit messages sent", "count")
AUDIT_NOT_SENT: Final = _event(623, "error", "audit server did not take the messages", "error")
PAGE_CERTIFICATE_TAKEN: Final = _event(624, "info", "new certificate of the page taken")
PAGE_CERTIFICATE_REFUSED: Final = _event(
    625, "error", "new certificate of the page cannot be used, the old one stays"
)
VIEW_NOT_NOTED: Final = _event(621, "error", "view of a list not in the audit trail", "error")
