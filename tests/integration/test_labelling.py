"""A labelling network installed, set, and through the whole graph."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from app.cli.models import install
from app.registry import folder_digest, read_registry, verify_model
from app.run.execute import Job, execute
from app.run.identity import identity_of
from app.run.models import ModelBundle
from app.run.record import ResultRecord
from app.settings import load_settings
from operators.dicom.identity.provenance import ModelIdentity
from operators.errors import ModelUnusableError
from operators.networks.labelling import load_labelling_model
from tests.builders.labelling_folder import WEIGHTS, write_labelling_folder
from tests.builders.stub_models import spine_series, stub_bundle

LEVELS = ("T11", "T12", "L1", "L2")


class Decided:
    """Stands for a network that is sure of four levels."""

    def predict(self, _volume, maps, progress) -> dict[int, dict[str, tuple[float, ...]]]:
        places = {"T11": 17, "T12": 18, "L1": 19, "L2": 20}
        numbers = sorted({int(n) for n in maps[1].labels_zyx.ravel()} & {2, 3, 4, 5})
        progress(len(numbers), len(numbers))
        return {
            number: {"VERT": tuple(float(n == places[name]) for n in range(24))}
            for number, name in zip(numbers, LEVELS, strict=True)
        }


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder into which the command has installed a labelling model."""
    folder = tmp_path_factory.mktemp("models")
    write_labelling_folder(folder / "given")
    install(folder / "given", name="names", models=folder)
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    spine_series(folder)
    return folder


def run(study: Path, output: Path, bundle: ModelBundle) -> ResultRecord:
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    record = execute(Job(source=study, output=output, started=started), bundle)
    assert record.exit_code == 0, record.error
    return record


def segmentation(folder: Path) -> pydicom.Dataset:
    return pydicom.dcmread(next(folder.glob("*_instances.dcm")), stop_before_pixels=True)


def test_it_is_installed_under_its_kind_and_counts_for_the_id_of_a_job(models: Path) -> None:
    assert read_registry(models).models["names"].kind == "labelling"
    assert verify_model(models, "names") == []
    settings = load_settings()
    used = settings.models.model_copy(update={"labelling": str(models / "names")})
    asked = identity_of(settings.model_copy(update={"models": used}))
    said = ("labelling_sha256", folder_digest(models / "names"))
    assert set(asked.parameters) - set(identity_of(settings).parameters) == {said}


def test_one_that_does_not_load_is_not_installed(tmp_path: Path) -> None:
    write_labelling_folder(tmp_path / "given", {"VERT": 24}, backbone="RESNET18")
    with pytest.raises(ModelUnusableError):
        install(tmp_path / "given", name="names", models=tmp_path / "models")
    assert read_registry(tmp_path / "models").models == {}
    assert not (tmp_path / "models" / "names").exists()


def test_it_is_asked_and_named_in_record_and_objects(
    models: Path, study: Path, tmp_path: Path
) -> None:
    identity = ModelIdentity("names", "1", folder_digest(models / "names"))
    bundle = replace(
        stub_bundle(),
        labelling=load_labelling_model(models / "names"),
        labelling_identity=identity,
    )
    record = run(study, tmp_path / "with", bundle)
    assert record.models["labelling"]["digest"] == identity.digest
    bones = record.series[0].station["vertebrae"]
    assert all(set(bone["said"]) > {"C1", "T13", "L6", "visible"} for bone in bones)
    item = segmentation(tmp_path / "with").SegmentSequence[0]
    algorithm = item.SegmentationAlgorithmIdentificationSequence[0]
    assert f"labelling_sha256={identity.digest}" in algorithm.AlgorithmParameters
    plain = run(study, tmp_path / "without", stub_bundle())
    assert "labelling" not in plain.models
    uids = {segmentation(tmp_path / name).SOPInstanceUID for name in ("with", "without")}
    assert len(uids) == 2
    assert (models / "names" / "weights" / WEIGHTS).is_file()


def test_its_word_is_among_the_evidence(study: Path, tmp_path: Path) -> None:
    bundle = replace(stub_bundle(), labelling=Decided())
    (entry,) = run(study, tmp_path / "out", bundle).series
    levels = list(entry.levels.values())
    assert [level["level"] for level in levels] == list(LEVELS)
    assert all("the labelling network" in level["evidence"] for level in levels)
