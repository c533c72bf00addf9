from __future__ import annotations

from pathlib import Path

import pytest

from app.jobs.identity import WorkIdentity, content_digest, identity_of
from app.journal.series import HeldObject
from app.settings import load_settings
from operators.errors import ModelUnusableError
from tests.builders.arrival_facts import slice_facts


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


def test_series_content_models_and_version_each_change_the_id_of_a_job():
    here = WorkIdentity(("semantic", "instance", "auto", "auto", "0.1.0"))
    ids = {
        here.job_id("1.2", "c"),
        here.job_id("1.3", "c"),
        here.job_id("1.2", "d"),
        WorkIdentity(("other", "instance", "auto", "auto", "0.1.0")).job_id("1.2", "c"),
        WorkIdentity(("semantic", "instance", "auto", "auto", "0.2.0")).job_id("1.2", "c"),
    }
    assert len(ids) == 5
    assert here.job_id("1.2", "c") in ids
    assert {len(job_id) for job_id in ids} == {32}


def test_the_identity_of_an_installation_follows_its_model_files(tmp_path: Path):
    settings = load_settings()
    assert identity_of(settings) == identity_of(settings)
    bf16 = settings.inference.model_copy(update={"precision": "bf16"})
    assert identity_of(settings.model_copy(update={"inference": bf16})) != identity_of(settings)
    absent = settings.models.model_copy(update={"directory": tmp_path})
    with pytest.raises(ModelUnusableError):
        identity_of(settings.model_copy(update={"models": absent}))
