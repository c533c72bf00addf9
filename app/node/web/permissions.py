"""Who may do what on the page and by the API: every route has its row, or nobody may use it.

What shows images or what belongs to a patient names the deed that the audit trail gets for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.node.people.roles import Role

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a route asks of whoever uses it.

    Attributes
    ----------
    role : Role or None
        None: everybody, without a log-in.
    view : str
        Deed in the audit trail; empty: nothing of a patient is shown, or the route itself writes
        down what it does.
    subject : str
        Part of the address that names what is seen; empty: a list, named by its address.
    """

    role: Role | None
    view: str = ""
    subject: str = ""


_EVERYBODY: Final = Rule(role=None)
_LOOK: Final = Rule(role=Role.VIEWER)
_ACT: Final = Rule(role=Role.OPERATOR)
_GOVERN: Final = Rule(role=Role.ADMINISTRATOR)
_LIST: Final = Rule(role=Role.VIEWER, view="list.view")
_SERIES: Final = Rule(role=Role.VIEWER, view="series.view", subject="series_uid")
_STUDY: Final = Rule(role=Role.VIEWER, view="study.view", subject="study_uid")
_JOB: Final = Rule(role=Role.VIEWER, view="job.view", subject="job_id")
_FILE: Final = Rule(role=Role.VIEWER, view="file.view", subject="job_id")
_DELIVERY: Final = Rule(role=Role.VIEWER, view="delivery.view", subject="delivery_id")

RULES: Final[Mapping[tuple[str, str], Rule]] = {
    ("GET", "/healthz"): _EVERYBODY,
    ("GET", "/readyz"): _EVERYBODY,
    ("GET", "/metrics"): _EVERYBODY,
    ("GET", "/log-in"): _EVERYBODY,
    ("POST", "/log-in"): _EVERYBODY,
    ("GET", "/log-in/openid"): _EVERYBODY,
    ("GET", "/log-in/openid/callback"): _EVERYBODY,
    ("POST", "/log-out"): _LOOK,
    ("GET", "/password"): _LOOK,
    ("POST", "/password"): _LOOK,
    ("GET", "/"): _LIST,
    ("GET", "/arrivals"): _LIST,
    ("GET", "/studies"): _LIST,
    ("GET", "/studies/{study_uid}"): _STUDY,
    ("GET", "/series/{series_uid:path}"): _SERIES,
    ("GET", "/jobs"): _LIST,
    ("GET", "/jobs/{job_id}"): _JOB,
    ("GET", "/jobs/{job_id}/progress"): _JOB,
    ("GET", "/jobs/{job_id}/files/{name}"): _FILE,
    ("GET", "/deliveries"): _LIST,
    ("GET", "/destinations"): _LOOK,
    ("GET", "/connections"): _LOOK,
    ("GET", "/system"): _LOOK,
    ("GET", "/attention"): _LIST,
    ("GET", "/attention/{kind}"): _LIST,
    ("GET", "/api"): _LOOK,
    ("GET", "/people"): _GOVERN,
    ("GET", "/api/v1/openapi.json"): _LOOK,
    ("GET", "/api/v1/status"): _LOOK,
    ("GET", "/api/v1/studies"): _LIST,
    ("GET", "/api/v1/studies/{study_uid}"): _STUDY,
    ("GET", "/api/v1/series"): _LIST,
    ("GET", "/api/v1/series/{series_uid}"): _SERIES,
    ("GET", "/api/v1/jobs"): _LIST,
    ("GET", "/api/v1/jobs/{job_id}"): _JOB,
    ("GET", "/api/v1/deliveries"): _LIST,
    ("GET", "/api/v1/deliveries/{delivery_id}"): _DELIVERY,
    ("GET", "/api/v1/destinations"): _LOOK,
    ("GET", "/api/v1/attention"): _LOOK,
    ("GET", "/api/v1/connections"): _LOOK,
    ("GET", "/api/v1/alerts"): _LOOK,
    ("GET", "/api/v1/audit"): _GOVERN,
    ("POST", "/actions/{kind}/{name}"): _ACT,
    ("POST", "/attention/acknowledge"): _ACT,
    ("POST", "/destinations/{name}/{action}"): _ACT,
    ("POST", "/jobs/{job_id}/levels"): _ACT,
    ("POST", "/alerts/test"): _GOVERN,
    ("POST", "/people/{name}/{change}"): _GOVERN,
    ("POST", "/studies/selection/{name}"): _ACT,
    ("POST", "/api/v1/studies/{name}"): _ACT,
    ("POST", "/api/v1/series/{series_uid}/{name}"): _ACT,
    ("POST", "/api/v1/jobs/{job_id}/levels"): _ACT,
    ("POST", "/api/v1/jobs/{job_id}/{name}"): _ACT,
    ("POST", "/api/v1/deliveries/{delivery_id}/{name}"): _ACT,
    ("POST", "/api/v1/destinations/{name}/{action}"): _ACT,
    ("POST", "/api/v1/attention/{kind}/acknowledge"): _ACT,
    ("POST", "/api/v1/alerts/test"): _GOVERN,
}
"""(method, address as its route is written) -> what it asks."""
