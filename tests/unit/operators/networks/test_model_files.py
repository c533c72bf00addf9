from pathlib import Path

import pytest

from operators.errors import ModelUnusableError
from operators.networks.model_files import digest_of, fold_checkpoints, plans_folder


def touch(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_final_checkpoint_is_preferred_and_the_best_is_good_enough(tmp_path: Path) -> None:
    final = touch(tmp_path / "fold_0" / "checkpoint_final.pth")
    touch(tmp_path / "fold_0" / "checkpoint_best.pth")
    best = touch(tmp_path / "fold_1" / "checkpoint_best.pth")
    assert fold_checkpoints(tmp_path, ("0", "1")) == (final, best)


def test_fold_all_stands_in_only_where_no_asked_fold_exists(tmp_path: Path) -> None:
    whole = touch(tmp_path / "fold_all" / "checkpoint_final.pth")
    assert fold_checkpoints(tmp_path, ("0",)) == (whole,)
    touch(tmp_path / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(ModelUnusableError, match="fold 1") as caught:
        fold_checkpoints(tmp_path, ("0", "1"))
    assert caught.value.reasons == ("fold_missing",)


def test_plans_lie_beside_the_config_or_in_the_only_other_place(tmp_path: Path) -> None:
    config = touch(tmp_path / "inference_config.json")
    with pytest.raises(ModelUnusableError) as caught:
        plans_folder(config, tmp_path)
    assert caught.value.reasons == ("plans_missing",)
    inner = touch(tmp_path / "nnUNetTrainer" / "plans.json").parent
    assert plans_folder(config, tmp_path) == inner
    touch(tmp_path / "second" / "plans.json")
    with pytest.raises(ModelUnusableError) as caught:
        plans_folder(config, tmp_path)
    assert caught.value.reasons == ("several_plans",)
    touch(tmp_path / "plans.json")
    assert plans_folder(config, tmp_path) == tmp_path


def test_the_digest_follows_content_and_names_but_not_the_place(tmp_path: Path) -> None:
    def digest(folder: str, **files: str) -> str:
        paths = [touch(tmp_path / folder / name, text) for name, text in files.items()]
        return digest_of(reversed(paths), tmp_path / folder)

    first = digest("a", x="1", y="2")
    assert len(first) == 64
    assert digest("b", x="1", y="2") == first
    assert digest("c", x="1", y="3") != first
    assert digest("d", x="2", y="1") != first
