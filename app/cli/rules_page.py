"""The rules of the quality gate as a page, made of their table.

``python -m app.cli.rules_page > docs/quality-rules.md`` writes the page; a test holds it current.
"""

from __future__ import annotations

import sys
from math import isfinite
from typing import TYPE_CHECKING

from operators.spine.quality.rules import RULES

if TYPE_CHECKING:
    from operators.spine.quality.rules import Rule

_HEAD = """\
# Rules of the quality gate

Made from `operators/spine/quality/rules.py` by `python -m app.cli.rules_page`; do not edit. What
they find, and how often they are wrong: [decision 0022](decisions/0022-the-quality-gate.md).
*withhold*: kept and shown, sent when a person releases it. *flag*: sent, and said in the SEG (Image
Comments), in the record and on the page. Limits without a unit are ratios.

| rule | outcome | meaning | measured | limit | where the limit comes from |
|---|---|---|---|---|---|
"""


def as_markdown() -> str:
    """Write the page.

    Returns
    -------
    str
        One row per rule.
    """
    return _HEAD + "".join(_row(rule) for rule in RULES)


def _row(rule: Rule) -> str:
    unit = "" if rule.unit == "1" else f" {rule.unit}"
    bounds = (("at least", rule.least), ("at most", rule.most))
    limits = ", ".join(f"{words} {limit:g}{unit}" for words, limit in bounds if isfinite(limit))
    cells = (f"`{rule.name}`", rule.outcome, rule.text, rule.about, limits, rule.origin)
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
