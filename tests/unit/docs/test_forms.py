"""The issue forms, as GitHub reads them: a label with a comma in it is one text."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

FORMS = Path(__file__).resolve().parents[3] / ".github" / "ISSUE_TEMPLATE"
ATTRIBUTES = {
    "markdown": {"value"},
    "textarea": {"label", "description", "placeholder", "value", "render"},
    "dropdown": {"label", "description", "multiple", "options", "default"},
}
"""Of GitHub's syntax for issue forms; what is none of these makes the form invalid."""


@pytest.mark.parametrize("form", ["bug.yml", "wish.yml"])
def test_a_form_holds_what_github_knows_and_asks_for_no_patient_data(form: str):
    document = yaml.safe_load((FORMS / form).read_text("utf-8"))
    assert document.keys() == {"name", "description", "body"}
    for part in document["body"]:
        assert part["attributes"].keys() <= ATTRIBUTES[part["type"]]
        assert all(part["attributes"].values())
    assert "No patient data" in document["body"][0]["attributes"]["value"]
