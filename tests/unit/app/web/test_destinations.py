"""The destinations page says what was observed; its buttons act, and are on record."""

from app.journal.audit import list_deeds
from app.journal.engine import reading
from app.web.site import Site


def deeds(site: Site) -> list[tuple[str, str, str]]:
    with reading(site.engine) as connection:
        return [(deed.action, deed.subject, deed.detail) for deed in list_deeds(connection)]
