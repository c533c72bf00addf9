from html.parser import HTMLParser

from app.evaluation.cohort import MethodScores
from app.evaluation.report import render_report
from app.evaluation.tables import Table

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
    assert "1 cases without a prediction, scored as empty: case7" in page
    assert "case8" in page
    assert "case9 (different_grids)" in page
