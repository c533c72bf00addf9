"""Times, sizes and colours as people read them."""

import hashlib
import re
from itertools import product
from pathlib import Path

import pytest

from app.node.web.rendering import environment, quoted, said, size, span, status_hex, when

TONES = ("good", "busy", "waits", "bad", "quiet")
NOTHING = "\N{EN DASH}"
STYLE = Path(__file__).parents[5] / "app" / "node" / "web" / "static" / "style.css"


def test_spans_use_their_two_largest_units():
    assert [span(s) for s in (None, 0.04, 59.94, 61, 3600, 90061)] == [
        NOTHING, "0.0 s", "59.9 s", "1 min 1 s", "1 h 0 min", "1 d 1 h",
    ]  # fmt: skip


def test_sizes_are_decimal():
    assert [size(n) for n in (0, 999, 1000, 2_000_000_000)] == ["0 B", "999 B", "1.0 kB", "2.0 GB"]


def test_a_process_speaks_in_one_line_without_digests():
    models = {"semantic": {"name": "a", "version": "1", "digest": "f" * 64}}
    told = {"pid": 7, "models": models, "leaving": False, "profile": ""}
    assert said(told) == "Models: a, 1; Pid: 7"


def test_statuses_are_written_as_in_the_standard():
    assert (status_hex(0x122), status_hex(None)) == ("0x0122", NOTHING)
    assert quoted("1.2/../a?b#c") == "1.2%2F..%2Fa%3Fb%23c"
    assert when(None) == NOTHING


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, NOTHING),
        (1000.0, "now"),
        (940.0, "1 min ago"),
        (1075.0, "in 1 min"),
        (991.0, "9 s ago"),
    ],
)
def test_moments_are_told_from_the_pages_own_now(seconds: float | None, text: str):
    template = environment().from_string("{{ at|ago }}")
    assert template.render(now=1000.0, at=seconds) == text


def test_templates_escape_and_miss_nothing_silently():
    made = environment()
    assert made.from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"
    assert made.autoescape is True
    assert "|safe" not in "".join(
        file.read_text(encoding="utf-8") for file in STYLE.parents[1].glob("templates/*.html")
    )


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_has_a_contrast_of_at_least_4_5(scheme: int):
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text(encoding="utf-8"), flags=re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[scheme]))
    pairs = [
        *product(("ink", "faint", "link", *TONES), ("ground", "panel")),
        *((tone, f"{tone}-ground") for tone in TONES),
        ("faint", "busy-ground"),
        ("ink", "busy-ground"),
        ("ink", "bad-ground"),
        ("faint", "bad-ground"),
    ]  # fmt: skip
    assert len(colours) == 18
    worst = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: round(c, 2) for pair, c in worst.items() if c < 4.5} == {}


def test_the_vendored_script_is_the_one_its_note_names():
    note = (STYLE.parent / "htmx.LICENSE.txt").read_text(encoding="utf-8")
    assert hashlib.sha256((STYLE.parent / "htmx.min.js").read_bytes()).hexdigest() in note
