"""Models come in only whole, unharmful and registered with their digests."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path

import pytest

from app.model_install import install_model
from app.registry import find_model, read_registry, verify_model
from app.settings import BUNDLED_MODELS, model_places, user_models
from operators.errors import ModelUnusableError

SEMANTIC = json.dumps({"modality": ["T2w"], "modeltype": "nnunet"})
INSTANCE = json.dumps({"modality": "SEG", "modeltype": "unet"})


def make_zip(file: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(file, "w") as package:
        for name, text in members.items():
            package.writestr(name, text)
    return file


@pytest.mark.parametrize("prefix", ["", "T2w_semantic/", "a/nnUNetTrainer__plans__3d_fullres/"])
def test_all_three_layouts_of_published_zips_are_unwrapped(tmp_path: Path, prefix: str) -> None:
    members = {f"{prefix}inference_config.json": SEMANTIC, f"{prefix}fold_0/c.pth": "weights"}
    models = tmp_path / "models"
    name = install_model(make_zip(tmp_path / "t2w.zip", members), models)
    assert name == "t2w"
    assert (models / "t2w" / "inference_config.json").is_file()
    assert (models / "t2w" / "fold_0" / "c.pth").read_text() == "weights"
    entry = read_registry(models).models["t2w"]
    assert entry.kind == "semantic"
    assert set(entry.files) == {"inference_config.json", "fold_0/c.pth"}
    assert verify_model(models, "t2w") == []
    assert [path.name for path in models.iterdir() if path.name.startswith(".")] == []


def test_a_seg_modality_makes_it_an_instance_model(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "i.zip", {"inference_config.json": INSTANCE})
    install_model(archive, tmp_path / "models", "vertebrae")
    assert read_registry(tmp_path / "models").models["vertebrae"].kind == "instance"


@pytest.mark.parametrize(
    "evil", ["../outside.txt", "/outside.txt", "a/../../outside.txt", "..\\outside.txt"]
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, evil: str) -> None:
    archive = make_zip(tmp_path / "e.zip", {"inference_config.json": SEMANTIC, evil: "x"})
    with pytest.raises(ModelUnusableError) as caught:
        install_model(archive, tmp_path / "models")
    assert caught.value.reasons == ("zip_slip",)
    assert not (tmp_path / "outside.txt").exists()
    assert read_registry(tmp_path / "models").models == {}


def test_a_symbolic_link_in_the_zip_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "l.zip"
    with zipfile.ZipFile(file, "w") as package:
        link = zipfile.ZipInfo("inference_config.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        package.writestr(link, "/etc/passwd")
    with pytest.raises(ModelUnusableError) as caught:
        install_model(file, tmp_path / "models")
    assert caught.value.reasons == ("zip_slip",)


@pytest.mark.parametrize("count", [0, 2])
def test_a_zip_without_exactly_one_configuration_is_refused(tmp_path: Path, count: int) -> None:
    members = {f"{n}/inference_config.json": SEMANTIC for n in range(count)} | {"x": "y"}
    with pytest.raises(ModelUnusableError) as caught:
        install_model(make_zip(tmp_path / "n.zip", members), tmp_path / "models")
    assert caught.value.reasons == ("no_single_config",)


def test_a_folder_just_trained_is_copied_and_named(tmp_path: Path) -> None:
    trained = tmp_path / "out" / "mine"
    (trained / "fold_0").mkdir(parents=True)
    (trained / "inference_config.json").write_text(SEMANTIC)
    (trained / "fold_0" / "c.pth").write_text("weights")
    models = tmp_path / "models"
    assert install_model(trained, models) == "mine"
    assert install_model(trained, models, "second") == "second"
    for name in ("mine", "second"):
        assert find_model(models, name) == models / name
        assert read_registry(models).models[name].kind == "semantic"
    assert (trained / "fold_0" / "c.pth").read_text() == "weights"  # the original stays
    assert str(tmp_path) not in (models / "registry.yaml").read_text()


def test_names_are_looked_up_in_the_folder_that_was_named_then_among_the_bundled(
    tmp_path: Path,
) -> None:
    models = tmp_path / "models"
    assert find_model(models, "spine_t2w_compact") == BUNDLED_MODELS.resolve() / "spine_t2w_compact"
    (models / "spine_t2w_compact").mkdir(parents=True)
    with pytest.raises(ModelUnusableError, match="not registered") as caught:
        find_model(models, "spine_t2w_compact")  # the nearer one counts, right or wrong
    assert str(models) in caught.value.message


def test_a_name_that_the_bundled_models_have_is_not_taken(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "m.zip", {"inference_config.json": SEMANTIC})
    with pytest.raises(ModelUnusableError) as caught:
        install_model(archive, tmp_path / "models", "spine_t2w_compact")
    assert caught.value.reasons == ("already_installed",)


def test_what_a_user_installed_beside_a_wheel_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert user_models() not in model_places(tmp_path / "elsewhere")
    archive = make_zip(tmp_path / "m.zip", {"inference_config.json": SEMANTIC})
    install_model(archive, user_models(), "mine")
    assert find_model(tmp_path / "elsewhere", "mine") == tmp_path / "spine-node" / "models" / "mine"


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "n.zip").write_text("not a zip")
    with pytest.raises(ModelUnusableError) as caught:
        install_model(tmp_path / "n.zip", tmp_path / "models")
    assert caught.value.reasons == ("bad_zip",)


def damaged(archive: bytes, place: int, value: bytes) -> bytes:
    """The archive with other bytes at a place, counted from its directory where negative."""
    start = place if place >= 0 else archive.index(b"PK\x01\x02") - place
    return archive[:start] + value + archive[start + len(value) :]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (52, b"\xff" * 8),  # within the first member's deflated bytes: zlib.error
        (-8, b"\x01\x00"),  # encrypted: RuntimeError
        (-10, b"\x63\x00"),  # an unknown compression: NotImplementedError
    ],
)
def test_a_damaged_or_unusual_zip_is_refused(tmp_path: Path, place: int, value: bytes) -> None:
    file = tmp_path / "d.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("inference_config.json", SEMANTIC * 20)
    file.write_bytes(damaged(file.read_bytes(), place, value))
    with pytest.raises(ModelUnusableError) as caught:
        install_model(file, tmp_path / "models")
    assert caught.value.reasons == ("bad_zip",)
    assert list((tmp_path / "models").iterdir()) == []


def test_names_without_end_and_without_a_beginning_are_no_crash(tmp_path: Path) -> None:
    deep = {"inference_config.json": SEMANTIC, "a/" * 2000 + "b": "x"}
    with pytest.raises(ModelUnusableError) as caught:
        install_model(make_zip(tmp_path / "d.zip", deep), tmp_path / "models")
    assert caught.value.reasons == ("bad_zip",)
    odd = {"inference_config.json": SEMANTIC, ".": "x"}
    with pytest.raises(ModelUnusableError):
        install_model(make_zip(tmp_path / "n.zip", odd), tmp_path / "models")
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as package:
        package.writestr(zipfile.ZipInfo(""), "x")
    with pytest.raises(ModelUnusableError) as caught:
        install_model(tmp_path / "e.zip", tmp_path / "models")
    assert caught.value.reasons == ("bad_zip",)


def test_a_name_is_installed_only_once(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "m.zip", {"inference_config.json": SEMANTIC})
    install_model(archive, tmp_path / "models")
    with pytest.raises(ModelUnusableError) as caught:
        install_model(archive, tmp_path / "models")
    assert caught.value.reasons == ("already_installed",)


def test_a_changed_or_missing_file_is_named_and_the_model_refused(tmp_path: Path) -> None:
    members = {"inference_config.json": SEMANTIC, "a.pth": "a", "b.pth": "b"}
    models = tmp_path / "models"
    install_model(make_zip(tmp_path / "m.zip", members), models)
    (models / "m" / "a.pth").write_text("changed")
    (models / "m" / "b.pth").unlink()
    assert verify_model(models, "m") == ["a.pth was changed", "b.pth is missing"]
    with pytest.raises(ModelUnusableError) as caught:
        find_model(models, "m")
    assert caught.value.reasons == ("digest_mismatch",)


def test_a_folder_outside_the_registry_is_used_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    assert find_model(tmp_path / "models", str(folder)) == folder


def test_an_unknown_model_is_refused_with_the_known_names(tmp_path: Path) -> None:
    install_model(
        make_zip(tmp_path / "m.zip", {"inference_config.json": SEMANTIC}), tmp_path / "models"
    )
    with pytest.raises(ModelUnusableError, match="registered: m, spine_t2w_compact") as caught:
        find_model(tmp_path / "models", "other")
    for place in (tmp_path / "models", BUNDLED_MODELS.resolve()):
        assert str(place) in caught.value.message


def test_the_bundled_models_are_as_registered() -> None:
    bundled = Path(__file__).resolve().parents[3] / "models"
    names = read_registry(bundled).models
    assert len(names) >= 2
    assert {name: verify_model(bundled, name) for name in names} == {name: [] for name in names}


def test_a_bundled_model_that_saw_real_subjects_carries_their_attribution() -> None:
    bundled = Path(__file__).resolve().parents[3] / "models"
    real = {n: m for n, m in read_registry(bundled).models.items() if "SPIDER" in m.provenance}
    assert list(real) == ["spine_t2w_compact"]
    for name, entry in real.items():
        assert "ATTRIBUTION.md" in entry.files
        text = (bundled / name / "ATTRIBUTION.md").read_text("utf-8")
        for said in ("10.1038/s41597-024-03090-w", "CC BY 4.0", "Changes made", "034, 055, 081"):
            assert said in text
