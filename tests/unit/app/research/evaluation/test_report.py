from html.parser import HTMLParser

from app import __version__
from app.research.evaluation.cohort import MethodScores
from app.research.evaluation.measures import CaseScore
from app.research.evaluation.report import as_text, render_report, scored_text
from app.research.evaluation.tables import Table

TABLE = Table("Title <1>", "note & more", ("a", "b"), (("x < y", "0.5"),))


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_the_report_stands_alone():
    method = MethodScores(name="ours", cases={}, refused={})
    page = render_report([method], [TABLE], {"levels": b"\x89PNG"})
    links = Links()
    links.feed(page)
    assert len(links.sources) == 1
    assert links.sources[0].startswith("data:image/png;base64,")
    assert "Research use only" in page
    assert __version__ in page
    assert "from the top" not in page
    running = MethodScores(name="ours", cases={}, refused={}, levels_known=False)
    assert "from the top: no levels and no regions" in render_report([running], [], {})


def test_names_and_cells_cannot_break_the_page():
    method = MethodScores(name="<script>", cases={}, refused={"<b>": "because"})
    page = render_report([method], [TABLE], {})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "x &lt; y" in page


def test_what_was_left_out_is_named():
    method = MethodScores(
        name="ours",
        cases={},
        missing=("case7",),
        without_reference=("case8",),
        refused={"case9": "different_grids"},
    )
    page = render_report([method], [], {})
    assert "1 case without a prediction, scored as empty: case7" in page
    assert "case8" in page
    assert "case9 (different_grids)" in page


def test_a_table_on_a_terminal_has_aligned_columns_and_no_intervals():
    cells = (("disc", "0.900 ± 0.050 [0.800, 1.000] (n = 4)"), ("sacrum", "-"))
    text = as_text(Table("Title", "note", ("structure", "DSC"), cells))
    assert text.splitlines() == [
        "Title",
        "  structure  DSC",
        "  disc       0.900 ± 0.050 (n = 4)",
        "  sacrum     -",
    ]


def test_one_line_says_what_counts_and_why_not_without_naming_a_case():
    method = MethodScores(
        name="ours",
        cases={"case1": CaseScore((), (), frozenset())},
        missing=("case1",),
        without_reference=("case8", "case9"),
        refused={"case2": "different_grids: SPN-1200: spacing", "case3": "other_kind: SPN-1001"},
    )
    assert scored_text(method) == (
        "ours: 1 case scored; 1 without a prediction, counted as empty; "
        "2 predicted without a reference, not scored; "
        "2 cannot be compared (different_grids, other_kind), not scored"
    )
