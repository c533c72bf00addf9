"""Every named error has an HTTP status."""

import app.errors  # noqa: F401 - makes every error known
from app.errors import ConfigurationError, DiskFullError, JournalError
from app.node.web.statuses import HTTP_STATUSES, http_status_of
from operators.errors import GeometryError, SpineError


def tree(cls: type) -> set[type]:
    return {cls, *(sub for child in cls.__subclasses__() for sub in tree(child))}


def test_every_error_of_the_tree_has_a_status_of_failure():
    assert SpineError in HTTP_STATUSES
    assert all(400 <= http_status_of(cls()) < 600 for cls in tree(SpineError))


def test_what_may_pass_is_503_and_what_is_not_ours_is_500():
    assert http_status_of(JournalError()) == 503
    assert http_status_of(DiskFullError()) == 507
    assert http_status_of(ConfigurationError()) == 500
    assert http_status_of(GeometryError()) == 422
    assert http_status_of(KeyError()) == 500
