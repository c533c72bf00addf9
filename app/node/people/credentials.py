"""Passwords (Argon2id, RFC 9106) and tokens: what is kept of them, and whether one fits.

A password is guessable and gets a slow hash; a token is 256 bits of chance, for which SHA-256 does.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import unicodedata
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from app.errors import AccountError

SHORTEST: Final = 12
"""Characters of a password. NIST SP 800-63B, 3.1.1: at least 8, length before rules."""
LONGEST: Final = 1024
"""Characters; more is no password but an attempt to keep us busy."""
TOKEN_PREFIX: Final = "spn_"  # noqa: S105 - lets scanners of repositories find lost tokens
_TOKEN_BYTES: Final = 32
_AT_ONCE: Final = 2
"""Hashes computed at a time: each takes 64 MiB, and the page has to live in less than 1 GiB."""
_PATIENCE_S: Final = 5.0

_HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_SLOTS: Final = threading.BoundedSemaphore(_AT_ONCE)


def checked_password(password: str, name: str) -> str:
    """Give the password back where it may be used.

    Parameters
    ----------
    password : str
        As typed.
    name : str
        Of the account.

    Returns
    -------
    str
        The same in Unicode form NFKC, in which every keyboard types it alike.

    Raises
    ------
    AccountError
        ``password_too_short``, ``password_too_long``, ``password_is_name``.
    """
    plain = _normal(password)
    if len(plain) < SHORTEST:
        message = f"the password needs at least {SHORTEST} characters"
        raise AccountError(message, reasons=("password_too_short",))
    if len(plain) > LONGEST:
        raise AccountError("the password is too long", reasons=("password_too_long",))
    if plain.lower().replace(name.lower(), "") == "":
        raise AccountError("the password is the account's name", reasons=("password_is_name",))
    return plain


def hash_password(password: str) -> str:
    """Argon2id hash with a salt of its own, in PHC string format."""
    with _SLOTS:
        return _HASHER.hash(_normal(password))


class BusyError(Exception):
    """Too many log-ins at once."""


def is_password(password: str, kept: str | None) -> bool:
    """Whether a password fits; takes as long where there is no account.

    Parameters
    ----------
    password : str
        As typed.
    kept : str or None
        Hash; None where there is no such account.

    Returns
    -------
    bool
        False, too, where the password is longer than any.

    Raises
    ------
    BusyError
        Where too many others are being judged.
    """
    if len(password) > LONGEST:
        return False
    if not _SLOTS.acquire(timeout=_PATIENCE_S):
        raise BusyError
    try:
        _HASHER.verify(kept or _nobody(), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _SLOTS.release()
    return kept is not None


def needs_new_hash(kept: str) -> bool:
    """Whether the library's parameters have become stronger since."""
    return _HASHER.check_needs_rehash(kept)


def new_token() -> str:
    """Token of a program: shown once, never kept."""
    return TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def digest_of(secret: str) -> str:
    """SHA-256 of a token or a cookie: what is kept of it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


@cache
def _nobody() -> str:
    """Hash that no password fits, made when it is first needed."""
    return _HASHER.hash(secrets.token_hex(_TOKEN_BYTES))
