from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.node.intake.job_ids import content_digest, job_id_of
from app.node.journal.series import HeldObject
from app.run import identity
from app.run.identity import NEUTRAL, identity_of, parameters_of
from app.settings import Settings, load_settings
from operators.dicom.identity import provenance
from operators.errors import ModelUnusableError
from tests.builders.arrival_facts import slice_facts
from tests.builders.results import USE
from tests.builders.virtual_intake import IDENTITY


def held(uid: str, digest: str) -> HeldObject:
    return HeldObject(sop_instance_uid=uid, digest=digest, path="p", facts=slice_facts(0))


def test_the_same_objects_in_any_order_are_the_same_content():
    first, second = held("1.2", "aa"), held("1.3", "bb")
    assert content_digest([first, second]) == content_digest([second, first])


def test_other_bytes_or_another_object_are_another_content():
    base = content_digest([held("1.2", "aa")])
    assert content_digest([held("1.2", "ab")]) != base
    assert content_digest([held("1.2", "aa"), held("1.3", "aa")]) != base
    assert content_digest([held("1.2a", "a")]) != base


def test_series_content_and_every_part_of_the_identity_change_the_id_of_a_job(
    monkeypatch: pytest.MonkeyPatch,
):
    others = (
        replace(IDENTITY, semantic_digest="c3"),
        replace(IDENTITY, instance_digest="c3"),
        replace(IDENTITY, software_version="0.2.0"),
        replace(IDENTITY, numeric_profile="cpu-bf16"),
        replace(IDENTITY, parameters=(("a", "1"),)),
        replace(IDENTITY, intended_use=USE),
    )
    ids = {job_id_of(other, "1.2", "c") for other in (IDENTITY, *others)}
    ids |= {job_id_of(IDENTITY, "1.3", "c"), job_id_of(IDENTITY, "1.2", "d")}
    ids |= {job_id_of(IDENTITY, "1.2", "c", words) for words in (["a"], ["b"], ["a", "b"])}
    monkeypatch.setattr(provenance, "RESULT_VERSION", provenance.RESULT_VERSION + "1")
    ids.add(job_id_of(IDENTITY, "1.2", "c"))
    assert len(ids) == len(others) + 7
    assert {len(job_id) for job_id in ids} == {32}


def test_the_identity_of_an_installation_follows_its_model_files(tmp_path: Path):
    settings = load_settings()
    assert identity_of(settings) == identity_of(settings)
    for changed in ({"precision": "bf16"}, {"engine": "torch"}, {"device": "cuda"}):
        inference = settings.inference.model_copy(update=changed)
        other = identity_of(settings.model_copy(update={"inference": inference}))
        assert other != identity_of(settings)
    absent = settings.models.model_copy(update={"directory": tmp_path, "semantic": "nobody"})
    with pytest.raises(ModelUnusableError):
        identity_of(settings.model_copy(update={"models": absent}))


def test_how_images_come_and_results_leave_is_no_parameter():
    settings = load_settings()
    elsewhere = settings.node.model_copy(update={"data": Path("/elsewhere")})
    pictures = settings.output.model_copy(update={"overlay": True})
    changed = settings.model_copy(update={"node": elsewhere, "output": pictures})
    assert parameters_of(changed) == parameters_of(settings)


def test_a_setting_that_nobody_called_neutral_is_a_parameter(monkeypatch: pytest.MonkeyPatch):
    settings = load_settings()
    monkeypatch.setattr(identity, "NEUTRAL", NEUTRAL - {"on_no_series", "inference.threads"})
    assert set(parameters_of(settings)) - {("inference.threads", "0")} == {
        ("on_no_series", settings.on_no_series)
    }


def test_every_neutral_name_is_a_setting_or_a_section():
    for name in NEUTRAL:
        kind = Settings
        for part in name.split("."):
            field = kind.model_fields[part]
            kind = field.annotation
