"""Links of pages that stand elsewhere in the repository, as the built documents have them."""

from __future__ import annotations

import re

_OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:ATTRIBUTION\.md|CITATION\.cff)\)")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Point at the documents' own pictures; name files that are not part of them."""
    return _OUTSIDE.sub(r"\1", markdown.replace("](../../.github/img/", "](../img/"))
