"""From rows to HTML: the template engine, its filters, and what every page carries.

Autoescape is on for every template and nothing is ever marked safe: what objects say of
themselves is hostile input.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from starlette.responses import HTMLResponse

from app import __version__
from app.node.journal.attention import alarms
from app.node.journal.engine import reading
from app.node.web import patients, reasons, wording
from app.node.web.gate import may_of
from app.node.web.security import SESSION_COOKIE, new_session, token_of
from app.steps import overall
from operators.anatomy.levels import numbers_text
from operators.report.words import SHORT_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.runtime import Context
    from starlette.requests import Request
    from starlette.responses import Response

    from app.node.journal.rows import JobRow
    from app.node.web.site import Site

FOLDER: Final = Path(__file__).parent
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86400.0
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_THOUSAND: Final = 1000.0
_BLANK: Final = "–"  # noqa: RUF001 - an en dash stands for "nothing"


def when(seconds: float | None) -> str:
    """Moment in the node's own time zone, or a dash."""
    if seconds is None:
        return _BLANK
    return datetime.fromtimestamp(seconds, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(seconds: float) -> str:
    """Moment for machines, UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds")


def span(seconds: float | None) -> str:
    """Length of time in its two largest units.

    Examples
    --------
    >>> span(3725.0)
    '1 h 2 min'
    >>> span(4.26)
    '4.3 s'
    """
    if seconds is None:
        return _BLANK
    if seconds < _MINUTE_S:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S:.0f} min {seconds % _MINUTE_S:.0f} s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S:.0f} h {seconds % _HOUR_S // _MINUTE_S:.0f} min"
    return f"{seconds // _DAY_S:.0f} d {seconds % _DAY_S // _HOUR_S:.0f} h"


@pass_context
def ago(context: Context, seconds: float | None) -> str:
    """How long ago, or in how long, seen from the page's own moment."""
    if seconds is None:
        return _BLANK
    distance = float(context["now"]) - seconds
    if abs(distance) < 1.0:
        return "now"
    return f"{_coarse(distance)} ago" if distance > 0 else f"in {_coarse(-distance)}"


def _coarse(seconds: float) -> str:
    for size, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(count: float) -> str:
    """Amount of data in decimal units.

    Examples
    --------
    >>> size(1234567)
    '1.2 MB'
    """
    value, unit = float(count), 0
    while value >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def status_hex(status: int | None) -> str:
    """DIMSE status as it is written in the standard."""
    return _BLANK if status is None else f"0x{status:04X}"


def said(detail: Mapping[str, Any]) -> str:
    """Put in one line what a process says of itself; digests, and what is not so, are left out."""
    told = {name: value for name, value in detail.items() if value}
    return "; ".join(f"{wording.plain(name)}: {_said(told[name])}" for name in sorted(told))


def _said(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(_said(part) for name, part in value.items() if name != "digest")


def overall_of(row: JobRow) -> float:
    """How far a job is as a whole, 0 to 1."""
    return overall(row.step, row.fraction)


def quoted(text: str) -> str:
    """Part of an address; not even a slash gets through."""
    return quote(text, safe="")


def environment() -> Environment:
    """Template engine of the page."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        when=when,
        iso=iso,
        span=span,
        ago=ago,
        size=size,
        status_hex=status_hex,
        quoted=quoted,
        patient_words=patients.patient_words,
        date_words=patients.date_words,
        said=said,
        plain=wording.plain,
        reason_words=wording.reason_words,
        shown_reasons=reasons.shown_reasons,
        deciding_words=reasons.deciding_words,
        decision_words=reasons.decision_words,
        problem_words=reasons.problem_words,
        doubts=reasons.doubts,
        finding_words=reasons.finding_words,
        outcome_words=wording.outcome_words,
        source_words=wording.source_words,
        structure_words=wording.structure_words,
        step_words=wording.step_words,
        overall=overall_of,
        verdict_words=wording.verdict_words,
        error_words=wording.error_words,
        confirmation_words=wording.confirmation_words,
        echo_words=wording.echo_words,
        association_words=wording.association_words,
        context_words=wording.context_words,
    )
    made.globals.update(
        state_words=wording.state_words,
        states=wording.STATES,
        version=__version__,
        numbers_text=numbers_text,
        short_names=SHORT_NAMES,
    )
    return made


_ENVIRONMENT: Final = environment()


def page(
    request: Request, site: Site, template: str, values: dict[str, Any], *, status: int = 200
) -> Response:
    """Render a page.

    Parameters
    ----------
    request : Request
        Gives the session cookie and the address.
    site : Site
        The node.
    template : str
        File in ``templates``.
    values : dict
        What the template shows; `attention` is counted here where it is not in it.
    status : int
        HTTP status.

    Returns
    -------
    Response
        With a session cookie where the browser had none.
    """
    if "attention" not in values:
        with reading(site.engine) as connection:
            values = {**values, "attention": alarms(site.attention(connection))}
    session = request.cookies.get(SESSION_COOKIE, "") or new_session()
    html = _ENVIRONMENT.get_template(template).render(
        {
            "now": site.clock(),
            "csrf_token": token_of(session, site.secret),
            "path": request.url.path,
            "layout": "fragment.html" if "HX-Request" in request.headers else "base.html",
            "here": _here(request),
            "answer": wording.DONE.get(request.query_params.get("answer", "")),
            "node": site.node,
            "notice": site.notice,
            "person": getattr(request.state, "person", None),
            "may": may_of(request),
            **values,
        }
    )
    response = HTMLResponse(html, status)
    if request.cookies.get(SESSION_COOKIE) != session:
        set_session(response, request, site, session)
    return response


def set_session(response: Response, request: Request, site: Site, session: str) -> None:
    """Have the browser send `session` from now on; links in mails lead to the page, so: lax."""
    is_secure = "https" in {request.url.scheme, urlsplit(site.node.people.address or "").scheme}
    response.set_cookie(SESSION_COOKIE, session, httponly=True, samesite="lax", secure=is_secure)


def plain_page(text: str, status: int) -> Response:
    """Page that needs no journal: for when the journal itself is what failed."""
    html = _ENVIRONMENT.get_template("error.html").render({"text": text, "status": status})
    return HTMLResponse(html, status)


def _here(request: Request) -> str:
    """Address of this page without the answer to an action."""
    kept = request.url.remove_query_params("answer")
    return f"{kept.path}?{kept.query}" if kept.query else kept.path
