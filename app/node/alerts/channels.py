"""The ways an alert goes: SMTP and HTTP. Every wait has an end, and an error is only a name.

What a server answers is never repeated: it may quote addresses and passwords.
"""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING, Final

import httpx

from app.errors import AlertNotSentError, ConfigurationError
from app.settings import secret_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.node.alerts.messages import Message
    from app.settings.alerts import AlertSettings, MailSettings, WebhookSettings

TIMEOUT_S: Final = 15.0
"""Of every single wait for a server, s."""

SMTP_PASSWORD: Final = "SPINE_NODE_SMTP_PASSWORD"  # noqa: S105 - a variable's name
WEBHOOK_SECRET: Final = "SPINE_NODE_WEBHOOK_SECRET"  # noqa: S105 - a variable's name


def send_by(name: str, settings: AlertSettings, message: Message) -> None:
    """Send a message by one channel.

    Parameters
    ----------
    name : str
        ``mail`` or ``webhook``; one of `AlertSettings.channels`.
    settings : AlertSettings
        Addresses.
    message : Message
        What to tell.

    Raises
    ------
    AlertNotSentError
        If it was not taken; its reason is the name of what went wrong.
    """
    _SENDERS[name](settings, message)


def target_of(name: str, settings: AlertSettings) -> str:
    """Where a channel leads, without anything secret."""
    if name == "mail" and settings.mail is not None:
        return f"{', '.join(settings.mail.recipients)} by {settings.mail.host}"
    return settings.webhook.host if settings.webhook is not None else ""


def _send_mail(settings: AlertSettings, message: Message) -> None:
    mail = settings.mail
    if mail is None:
        raise AlertNotSentError(reasons=("not_set_up",))
    letter = EmailMessage()
    letter["Subject"] = message.subject
    letter["From"] = mail.sender
    letter["To"] = ", ".join(mail.recipients)
    letter["Date"] = format_datetime(message.sent_at)
    letter["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2])
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text)
    try:
        with _connected(mail) as server:
            server.send_message(letter)
    except tuple(_FAILURES) as error:
        raise AlertNotSentError(reasons=(_failure(error),)) from error


def _connected(mail: MailSettings) -> smtplib.SMTP:
    """Connect and log in; the caller closes it."""
    secret = secret_of(SMTP_PASSWORD, mail.password_file)
    context = ssl.create_default_context()
    if mail.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            mail.host, mail.port, timeout=TIMEOUT_S, context=context
        )
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_S)
    try:
        if mail.security == "starttls":
            server.starttls(context=context)
        if mail.user is not None and secret is not None:
            server.login(mail.user, secret.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def _send_webhook(settings: AlertSettings, message: Message) -> None:
    hook = settings.webhook
    if hook is None:
        raise AlertNotSentError(reasons=("not_set_up",))
    try:
        answer = httpx.post(
            hook.url.get_secret_value(),
            json=message.document,
            headers=_headers(hook),
            timeout=TIMEOUT_S,
            follow_redirects=False,
        )
    except tuple(_FAILURES) as error:
        raise AlertNotSentError(reasons=(_failure(error),)) from error
    if not answer.is_success:
        raise AlertNotSentError(reasons=(f"http_{answer.status_code}",))


def _headers(hook: WebhookSettings) -> dict[str, str]:
    secret = secret_of(WEBHOOK_SECRET, hook.secret_file)
    return {} if secret is None else {hook.secret_header: secret.get_secret_value()}


def _failure(error: BaseException) -> str:
    """Name of what went wrong; nearest class in the method resolution order."""
    return next(_FAILURES[cls] for cls in type(error).__mro__ if cls in _FAILURES)


_FAILURES: Final[Mapping[type[BaseException], str]] = {
    ConfigurationError: "secret_unreadable",
    smtplib.SMTPAuthenticationError: "login_refused",
    smtplib.SMTPServerDisconnected: "no_answer",
    smtplib.SMTPRecipientsRefused: "recipients_refused",
    smtplib.SMTPException: "mail_refused",
    httpx.TimeoutException: "no_answer",
    httpx.HTTPError: "unreachable",
    httpx.InvalidURL: "unreachable",
    ssl.SSLError: "tls_failed",
    OSError: "unreachable",
    ValueError: "unreachable",
}
_SENDERS: Final[Mapping[str, Callable[[AlertSettings, Message], None]]] = {
    "mail": _send_mail,
    "webhook": _send_webhook,
}
