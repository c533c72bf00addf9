"""Alert channels on the page: how they fare, and the button that sends a test message."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from app.errors import AlertNotSentError
from app.node.alerts.channels import send_by, target_of
from app.node.alerts.messages import message_of
from app.node.journal import alert_channels
from app.node.journal.alert_channels import channel_state
from app.node.journal.audit import deed_of, record_deed
from app.node.journal.engine import reading, transaction
from app.node.telemetry import events
from app.node.web.forms import require_token, with_answer
from app.node.web.gate import actor_of
from app.node.web.site import CurrentSite, Site
from app.settings.alerts import AlertSettings

ALERTS: Final = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One way of telling people; times are epoch seconds.

    Attributes
    ----------
    name : str
        ``mail`` or ``webhook``.
    target : str
        Where it leads, without secrets.
    """

    name: str
    target: str
    sent_at: float | None
    next_attempt_at: float | None
    failing_since: float | None
    last_error: str


class TestForm(BaseModel):
    """What the button sends."""

    csrf_token: str = Field(max_length=128, default="")
    back: str = Field(max_length=1024, default="/attention")


def channels_of(connection: Connection, settings: AlertSettings) -> list[Channel]:
    """Every way that is set up, with how it fares."""
    states = [channel_state(connection, name) for name in sorted(settings.channels)]
    return [
        Channel(
            name=state.name,
            target=target_of(state.name, settings),
            sent_at=state.sent_at,
            next_attempt_at=state.next_attempt_at,
            failing_since=state.failing_since,
            last_error=state.last_error,
        )
        for state in states
    ]


@ALERTS.get("/api/v1/alerts", tags=["node"])
def get_alerts(site: CurrentSite) -> list[Channel]:
    """How every alert channel fares."""
    with reading(site.engine) as connection:
        return channels_of(connection, site.node.alerts)


@ALERTS.post("/api/v1/alerts/test", tags=["node"])
def test_alerts(request: Request, site: CurrentSite) -> dict[str, str]:
    """Send a test message by every way; by way: ``sent``, or what went wrong."""
    return _send_test(request, site)


@ALERTS.post("/alerts/test", include_in_schema=False)
def test_from_page(
    request: Request, site: CurrentSite, form: Annotated[TestForm, Form()]
) -> RedirectResponse:
    """Send a test message by every way and go back; the page tells how it went."""
    require_token(request, site, form.csrf_token)
    answers = _send_test(request, site)
    is_sent = bool(answers) and all(answer == "sent" for answer in answers.values())
    return RedirectResponse(
        with_answer(form.back, "alert_sent" if is_sent else "alert_failed"), 303
    )


def _send_test(request: Request, site: Site) -> dict[str, str]:
    alerts = site.node.alerts
    with reading(site.engine) as connection:
        rows = site.attention(connection)
    message = message_of(
        rows,
        (),
        node=site.node.listener.ae_title,
        at=site.clock(),
        page_address=alerts.page_address,
    )
    answers = {}
    for name in sorted(alerts.channels):
        try:
            send_by(name, alerts, message)
        except AlertNotSentError as error:
            answers[name] = error.reasons[0]
            site.emit(events.ALERT_FAILED, channel=name, error=answers[name])
        else:
            answers[name] = "sent"
            site.emit(events.ALERT_SENT, channel=name, count=0)
    _note(request, site, answers)
    return answers


def _note(request: Request, site: Site, answers: dict[str, str]) -> None:
    now = site.clock()
    with transaction(site.engine) as connection:
        for name, answer in answers.items():
            alert_channels.make_known(connection, name)
            if answer == "sent":
                alert_channels.note_sent(connection, name, now)
            else:
                alert_channels.note_failure(connection, name, now, error=answer, retry_at=now)
        told = ", ".join(f"{name}: {answer}" for name, answer in answers.items())
        deed = deed_of(
            actor_of(request),
            at=now,
            action="alerts.test",
            subject="alerts",
            detail=told or "no way is set up",
        )
        record_deed(connection, deed)
