"""An output folder belongs to one cohort, made with one set of models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.cohort.folder import CohortFolder, begin, require_usable
from app.errors import ConfigurationError, OutputUnwritableError
from app.settings import load_settings

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_cohort_goes_on_with_its_own_time_and_refuses_other_settings(tmp_path: Path) -> None:
    folder, settings = CohortFolder(tmp_path / "out"), load_settings()
    first = begin(folder, settings, NOW)
    assert first.started == NOW
    assert begin(folder, settings, NOW + timedelta(days=9)) == first
    inference = settings.inference.model_copy(update={"precision": "bf16"})
    with pytest.raises(ConfigurationError) as refused:
        begin(folder, settings.model_copy(update={"inference": inference}), NOW)
    assert refused.value.reasons == ("other_settings",)
    assert settings.models.semantic in refused.value.message
    threads = settings.inference.model_copy(update={"threads": 3})
    assert begin(folder, settings.model_copy(update={"inference": threads}), NOW) == first


def test_two_that_begin_at_once_are_one_cohort(tmp_path: Path) -> None:
    folder = CohortFolder(tmp_path / "out")
    assert begin(folder, load_settings(), NOW) == begin(
        folder, load_settings(), NOW + timedelta(seconds=1)
    )
    assert [path.name for path in folder.state.iterdir()] == ["cohort.json"]


def test_results_never_meet_the_input_or_strange_files(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "sub-1").mkdir(parents=True)
    for output in (data, tmp_path):
        with pytest.raises(ConfigurationError) as refused:
            require_usable(data, output)
        assert refused.value.reasons == ("output_is_input",)
    (tmp_path / "other").mkdir()
    require_usable(data, tmp_path / "other")
    (tmp_path / "other" / "thesis.doc").write_bytes(b"")
    with pytest.raises(ConfigurationError) as refused:
        require_usable(data, tmp_path / "other")
    assert refused.value.reasons == ("output_not_empty",)
    require_usable(data, data / "derivatives" / "spine")
    with pytest.raises(OutputUnwritableError):
        require_usable(data, tmp_path / "other" / "thesis.doc")


def test_a_state_file_that_is_none_is_said(tmp_path: Path) -> None:
    folder = CohortFolder(tmp_path / "out")
    folder.state.mkdir(parents=True)
    (folder.state / "cohort.json").write_text("half")
    with pytest.raises(OutputUnwritableError) as refused:
        begin(folder, load_settings(), NOW)
    assert refused.value.reasons == ("output_unwritable",)
