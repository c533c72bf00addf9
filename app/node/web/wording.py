"""States, reasons and steps in words an administrator reads. Tables only; nothing is decided here.

A name without an entry is shown as itself with blanks for underscores, so a new reason is never
hidden. A test holds the tables complete for all states and all reasons of selection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from app.node.journal.deliveries import WITHHELD
from app.node.journal.replaced import REPLACED_BY
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.web.reason_table import REASONS
from app.steps import STEP_WORDS
from operators.anatomy.codes import STRUCTURES
from operators.anatomy.labels import Structure

Tone = Literal["good", "busy", "waits", "bad", "quiet"]
"""Colour and sign of a state on the page: never the colour alone."""


@dataclass(frozen=True, slots=True)
class StateWords:
    """How a state is shown."""

    label: str
    tone: Tone
    meaning: str


SERIES: Final[dict[str, StateWords]] = {
    SeriesState.RECEIVING: StateWords("receiving", "busy", "More objects may still come."),
    SeriesState.HELD: StateWords(
        "held", "bad", "Incomplete after the deadline. It waits for objects or for a person."
    ),
    SeriesState.REJECTED: StateWords(
        "not selected", "quiet", "Nothing to segment. The reasons are below."
    ),
    SeriesState.ACCEPTED: StateWords("selected", "good", "Complete and selected; it has a job."),
    SeriesState.DISCARDED: StateWords("discarded", "quiet", "A person said: do not segment it."),
}

JOBS: Final[dict[str, StateWords]] = {
    JobState.WAITING: StateWords("waiting", "waits", "Made; not yet given to the job engine."),
    JobState.QUEUED: StateWords("queued", "waits", "Waits for a free worker."),
    JobState.RUNNING: StateWords("running", "busy", "A worker is on it."),
    JobState.SUCCEEDED: StateWords("succeeded", "good", "Results are on disk."),
    JobState.REFUSED: StateWords(
        "no result", "quiet", "The images permit no result; a repeat changes nothing."
    ),
    JobState.DEAD: StateWords("failed", "bad", "Every attempt failed. It waits for a person."),
    JobState.CANCELLED: StateWords("cancelled", "quiet", "A person stopped it."),
}

DELIVERIES: Final[dict[str, StateWords]] = {
    DeliveryState.HELD: StateWords("held for release", "waits", "A person has to release it."),
    DeliveryState.QUEUED: StateWords("queued", "busy", "To be sent now or at the next attempt."),
    DeliveryState.SENT: StateWords(
        "sent, not confirmed", "busy", "The peer answered success; it has not confirmed it yet."
    ),
    DeliveryState.DELIVERED: StateWords("delivered", "good", "Confirmed."),
    DeliveryState.PARKED: StateWords(
        "parked", "bad", "The peer does not take this kind of object. It waits for a person."
    ),
    DeliveryState.DEAD: StateWords(
        "failed", "bad", "Refused for good, or not delivered in time. It waits for a person."
    ),
    DeliveryState.DISCARDED: StateWords("discarded", "quiet", "A person said: do not send it."),
    DeliveryState.DECLINED: StateWords(
        "not taken", "quiet", "The peer does not take this kind of object, and need not."
    ),
}

ASSOCIATIONS: Final[dict[str, StateWords]] = {
    "released": StateWords("released", "good", "The peer ended it in order."),
    "broken_off": StateWords("broken off", "waits", "The peer aborted, vanished or fell silent."),
    "called_ae_title_unknown": StateWords(
        "refused: wrong called title", "bad", "The called AE title is none of this node's."
    ),
    "calling_ae_title_unknown": StateWords(
        "refused: unknown caller", "bad", "listener.calling_ae_titles does not name the caller."
    ),
    "network_not_allowed": StateWords(
        "refused: network", "bad", "The address is in none of listener.networks."
    ),
    "too_many_associations": StateWords(
        "refused: too many", "bad", "listener.max_associations were open; the peer may come again."
    ),
    "too_many_associations_of_peer": StateWords(
        "refused: too many of this peer",
        "bad",
        "listener.max_associations_per_peer were open; the peer may come again.",
    ),
    "nothing_accepted": StateWords(
        "nothing accepted", "bad", "None of the presentation contexts was accepted: no object came."
    ),
    "certificate_of_another": StateWords(
        "refused: certificate",
        "bad",
        "listener.tls.titles binds this calling AE title to a certificate that was not shown.",
    ),
    "tls_failed": StateWords(
        "no TLS connection", "bad", "The handshake failed; the event log has the reason."
    ),
    "request_not_understood": StateWords(
        "no valid request", "quiet", "What came was no association request."
    ),
}
"""How an association ended, or why it was refused."""

CONTEXTS: Final[dict[str, str]] = {
    "abstract_syntax_not_supported": "this kind of object is not taken",
    "transfer_syntaxes_not_supported": "none of its transfer syntaxes is taken",
    "user_rejection": "rejected",
    "no_reason": "rejected",
}
"""Why a presentation context was not accepted."""

STATES: Final = {"series": SERIES, "job": JOBS, "delivery": DELIVERIES}

VERDICTS: Final[dict[str, StateWords]] = {
    "complete_proven": StateWords("complete, proven", "good", "Gap-free, and the count is met."),
    "complete_assumed": StateWords("complete, assumed", "waits", "Nobody announced a count."),
    "waiting": StateWords("waiting for more", "busy", "More may come."),
    "incomplete": StateWords("incomplete", "bad", "Something speaks against completeness."),
}
"""What is known about a series' completeness."""

SOURCES: Final[dict[str, str]] = {
    "c_find_growing": "the sender's archive (C-FIND), still growing",
    "c_find": "the sender's archive (C-FIND)",
    "enhanced": "the multi-frame objects",
    "images_in_acquisition": "the header (Images in Acquisition)",
    "number_of_slices": "the header (number of slices)",
    "series_instances": "the header (objects of the series)",
    "header": "the header",
    "forced": "a person",
}
"""Who told the expected number of objects."""

ERRORS: Final[dict[str, str]] = {
    "connection_failed": "The server does not answer",
    "certificate_refused": "Its certificate is not by an authority that is trusted, or of its name",
    "settings_unusable": "A certificate that the settings name cannot be read",
    "not_taken": "It broke off before it had taken everything",
    "unreachable": "The peer does not answer",
    "no_answer": "The peer broke off or did not answer in time",
    "broke_off": "The peer broke off",
    "host_unknown": "The peer's host name is not known",
    "query_timeout": "The C-FIND took too long",
    "timeout": "The transfer took too long",
    "busy": "The peer is out of resources",
    "not_found": "Sent, but the peer did not list it in time; it is sent again",
    "unconfirmed": "Sent, but never confirmed",
    "commitment_overdue": "The peer has not reported on storage commitment; it is asked again",
    "context_refused": "The peer accepts no presentation context for this kind of object",
    "destination_paused": "Paused: the destination failed repeatedly",
    "destination_unknown": "The settings do not name this destination any more",
    "file_missing_or_damaged": "The file is not what the job wrote",
    "login_refused": "The mail server refuses user or password",
    "recipients_refused": "The mail server refuses every recipient",
    "mail_refused": "The mail server refuses the message",
    "tls_failed": "No secure connection: the certificate or the protocol is not accepted",
    "secret_unreadable": "The file with the secret cannot be read",
    "secret_unusable": "The secret is missing, or holds what no header may",
    "certificate_unusable": "Our certificate or the authorities to trust cannot be used",
    "answer_too_long": "The peer's answer has no end",
    "failed_without_reason": "The peer lists the object among the failed ones and gives no reason",
    "http_401": "The peer does not know who we are (HTTP 401)",
    "http_403": "The peer does not let us in (HTTP 403)",
    "http_404": "The peer has no such service at this address (HTTP 404)",
    "http_413": "The object is larger than the peer takes (HTTP 413)",
    "status_0122": "The peer does not support this SOP class",
    "status_A700": "The peer is out of resources",
    "status_C122": "The peer does not support the transfer syntax",
    "status_C000": "The peer cannot understand the object",
}
"""What went wrong at a destination; shown as itself where it is not listed."""

CONFIRMATIONS: Final[dict[str, str]] = {
    "c_find": "C-FIND",
    "c_store": "C-STORE answer",
    "qido_rs": "QIDO-RS",
    "stow_rs": "STOW-RS answer",
    "commitment": "storage commitment",
}
"""How a delivery was confirmed."""

ECHOES: Final[dict[str, str]] = {"dimse": "C-ECHO", "dicomweb": "QIDO-RS"}
"""Kind of a peer -> service by which it is asked whether it answers."""

_NUMBERED: Final[dict[str, str]] = {
    REPLACED_BY: "Replaced by revision {}",
    "status_": "The peer answered 0x{}",
    "uncommitted_": "The peer did not commit the object (0x{})",
    "http_": "The peer answered HTTP {}",
}
"""Beginning of an error that ends in a number -> words."""
_REFUSED: Final = "refused_"

DONE: Final[dict[str, str]] = {
    "done": "Done.",
    "alert_sent": "The test message was taken by every way that is set up.",
    "alert_failed": "The test message was not taken by every way: see Alerts below.",
    "moved": "Nothing was changed: it is no longer in a state in which this is possible.",
    "idle": "Nothing waits for its next attempt there.",
    "password_changed": "Your password is changed; other log-ins of yours have ended.",
    "answered": "The destination answered.",
    "silent": "The destination did not answer; the table says why.",
}
"""Answer to an action, by the word in the address that the browser is led to."""


def plain(name: str) -> str:
    """Words for a name without an entry: ``echo_train`` becomes ``Echo train``."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def reason_words(name: str) -> str:
    """Sentence for a reason of selection or completeness."""
    return REASONS.get(name) or plain(name)


def outcome_words(name: str) -> str:
    """Words for what became of an object that was offered (the listener's counters)."""
    return f"Refused, 0x{name.removeprefix(_REFUSED)}" if name.startswith(_REFUSED) else plain(name)


def structure_words(name: str) -> str:
    """Name of an anatomical structure as in the SEG object."""
    known = Structure.__members__.get(name.upper())
    return STRUCTURES[known].name if known in STRUCTURES else plain(name)


def verdict_words(name: str) -> StateWords:
    """How a verdict on completeness is shown."""
    return VERDICTS.get(name) or StateWords(plain(name).lower(), "quiet", "")


def source_words(name: str) -> str:
    """Who announced the expected number."""
    return SOURCES.get(name) or plain(name).lower()


def error_words(name: str) -> str:
    """Words for what went wrong at a destination, or why nothing is sent there."""
    if name.startswith(WITHHELD):
        rules = ", ".join(plain(rule).lower() for rule in name.removeprefix(WITHHELD).split(", "))
        return f"Withheld by the quality gate: {rules}"
    for prefix, words in _NUMBERED.items():
        if name.startswith(prefix) and name not in ERRORS:
            return words.format(name.removeprefix(prefix))
    return ERRORS.get(name) or plain(name)


def confirmation_words(name: str) -> str:
    """Name of the service by which a delivery was confirmed."""
    return CONFIRMATIONS.get(name) or plain(name)


def echo_words(kind: str) -> str:
    """Name of the service by which a peer of a kind is asked whether it answers."""
    return ECHOES[kind]


def association_words(outcome: str) -> StateWords:
    """How the end of an association is shown."""
    return ASSOCIATIONS.get(outcome) or StateWords(plain(outcome).lower(), "quiet", "")


def context_words(reason: str) -> str:
    """Words for why a presentation context was not accepted."""
    return CONTEXTS.get(reason) or plain(reason).lower()


def step_words(name: str) -> str:
    """Words for a step of the pipeline."""
    return STEP_WORDS.get(name) or plain(name)


def state_words(kind: str, state: str) -> StateWords:
    """How a state of a series, job or delivery is shown."""
    return STATES[kind].get(state) or StateWords(plain(state).lower(), "quiet", "")
