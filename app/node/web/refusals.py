"""How the API refuses, as its own description says it."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request was not answered, or an action not done.

    Attributes
    ----------
    detail : str
        A sentence.
    reasons : tuple of str
        Reasons by name, where there are some.
    """

    detail: str
    reasons: tuple[str, ...] = ()


_MEANINGS: Final = {
    400: "The request, or its body, cannot be read or done.",
    401: "Nobody is logged in, and no token came with the request.",
    403: "The request does not come from a program or a person that may send it.",
    404: "There is no such thing.",
    409: "Its state does not permit the action.",
    422: "A value is not possible.",
    503: "The journal does not answer.",
}

REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Refusal, "description": meaning} for status, meaning in _MEANINGS.items()
}
"""For every route of the API."""
