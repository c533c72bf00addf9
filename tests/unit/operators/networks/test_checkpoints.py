import argparse
import collections
import io
import os
import pickle
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from operators.errors import ModelUnusableError
from operators.networks.checkpoints import read_checkpoint
from operators.networks.inert_pickle import InertObject

FORMATS = pytest.mark.parametrize("layout", ["zip", "legacy"])


class Hostile:
    """Unpickled by an ordinary reader, it makes a file."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


class TrainingOptions:
    """A class that no reader of the checkpoint has."""

    def __init__(self) -> None:
        self.learning_rate = 0.01


def save(content: object, path: Path, layout: str) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=layout == "zip")
    return path


def attacks(trap: Path) -> dict[str, Hostile]:
    return {
        "os.system": Hostile(os.system, f"touch {trap}"),
        "subprocess": Hostile(subprocess.check_call, ["touch", str(trap)]),
        "eval": Hostile(eval, f"open({str(trap)!r}, 'w')"),
        "exec": Hostile(exec, f"open({str(trap)!r}, 'w')"),
        "open": Hostile(open, str(trap), "w"),
        "mkdir": Hostile(os.mkdir, str(trap)),
        "torch.save": Hostile(torch.save, 1, str(trap)),
        "numpy": Hostile(np.save, str(trap), [1]),
    }


@FORMATS
@pytest.mark.parametrize("kind", list(attacks(Path("x"))))
@pytest.mark.parametrize("place", ["beside the weights", "among the weights"])
def test_a_hostile_checkpoint_does_not_run(
    kind: str, layout: str, place: str, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    hostile = attacks(trap)[kind]
    weights = collections.OrderedDict(weight=torch.ones(3))
    if place == "among the weights":
        weights["payload"] = hostile
    content = {"network_weights": weights, "extra": hostile}
    read = read_checkpoint(save(content, tmp_path / "a.pth", layout))
    assert not list(tmp_path.glob("trap*"))
    assert isinstance(read["extra"], InertObject)
    assert torch.equal(read["network_weights"]["weight"], torch.ones(3))


def raw(opcodes: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "raw.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", opcodes)
    return path


@pytest.mark.parametrize(
    "opcodes",
    [
        # os.system(...) through attributes, instances, states and items of inert objects
        b"cbuiltins\ngetattr\n(cos\nsystem\nS'__call__'\ntR(S'touch trap'\ntR.",
        b"(S'touch trap'\nios\nsystem\n.",
        b"cos\nsystem\n)\x81}S'a'\nS'b'\nsb.",
        b"cos\nsystem\n)R(S'touch trap'\ntR.",
        b"cos\nsystem\n)R(S'a'\nS'b'\nu.",
        b"cos\nsystem\n)R(S'a'\nS'b'\ne.",
        b"ctorch._utils\n_rebuild_tensor_v2\n}S'_function'\ncos\nsystem\nsb.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(N}S'_function'\ncos\nsystem\nstb.",
        b"ccollections\nOrderedDict\n(N}S'__setstate__'\ncos\nsystem\nstb.",
    ],
)
def test_hand_made_pickles_do_nothing_and_are_no_checkpoint(
    opcodes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelUnusableError) as caught:
        read_checkpoint(raw(opcodes, tmp_path))
    assert caught.value.reasons == ("checkpoint_unreadable",)
    assert not (tmp_path / "trap").exists()
    assert collections.OrderedDict(a=1)["a"] == 1


@FORMATS
def test_an_unknown_options_class_loads_as_an_inert_object(layout: str, tmp_path: Path) -> None:
    content = {"hyper_parameters": {"opt": TrainingOptions(), "ns": argparse.Namespace(dim=16)}}
    read = read_checkpoint(save(content, tmp_path / "a.ckpt", layout))
    options = read["hyper_parameters"]["opt"]
    assert type(options) is not TrainingOptions
    assert options.pickled_as.endswith("TrainingOptions")
    assert options.state == {"learning_rate": 0.01}
    assert read["hyper_parameters"]["ns"].state == {"dim": 16}


@FORMATS
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
)
def test_tensors_come_back_with_values_type_and_shape(
    dtype: torch.dtype, layout: str, tmp_path: Path
) -> None:
    values = torch.arange(24).reshape(2, 3, 4).to(dtype)
    content = {"a": values, "transposed": values.transpose(0, 2), "part": values[1, :, ::2]}
    read = read_checkpoint(save(content, tmp_path / "a.pth", layout))
    for name, tensor in content.items():
        assert torch.equal(read[name], tensor)
        assert read[name].dtype == dtype


@FORMATS
def test_aliases_of_one_storage_share_it_again(layout: str, tmp_path: Path) -> None:
    weight = torch.ones(5)
    read = read_checkpoint(save({"a": {"x": weight, "y": weight}}, tmp_path / "a.pth", layout))
    assert read["a"]["x"].data_ptr() == read["a"]["y"].data_ptr()


@FORMATS
def test_plain_things_and_numpy_scalars_come_back_as_numbers_and_text(
    layout: str, tmp_path: Path
) -> None:
    content = {
        "ema": np.float64(0.75),
        "epoch": np.int64(1000),
        "single": np.float32(0.5),
        "axes": (0, 1, 2),
        "names": ["a", None, True],
        "device": torch.device("cuda", 1),
        "size": torch.Size([2, 3]),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "empty": torch.zeros(0),
    }
    read = read_checkpoint(save(content, tmp_path / "a.pth", layout))
    assert (read["ema"], read["epoch"], read["single"]) == (0.75, 1000, 0.5)
    assert (read["axes"], read["names"]) == ((0, 1, 2), ["a", None, True])
    assert (read["device"], read["size"]) == ("cuda:1", (2, 3))
    assert torch.equal(read["parameter"], torch.ones(2))
    assert read["empty"].shape == (0,)


def test_only_the_wanted_keys_are_read(tmp_path: Path) -> None:
    path = save({"a": torch.ones(2), "b": torch.ones(3)}, tmp_path / "a.pth", "zip")
    assert list(read_checkpoint(path, keep=("b",))) == ["b"]


def test_40_levels_of_doubled_lists_do_not_blow_up(tmp_path: Path) -> None:
    nested: list[Any] = [1]
    for _ in range(40):
        nested = [nested, nested]
    read = read_checkpoint(save({"a": nested}, tmp_path / "a.pth", "zip"))
    assert len(read["a"]) == 2


def damaged(tmp_path: Path) -> dict[str, bytes]:
    good = save({"a": torch.ones(100)}, tmp_path / "good.pth", "zip").read_bytes()
    old = save({"a": torch.ones(100)}, tmp_path / "old.pth", "legacy").read_bytes()
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": "0" * 10**6}))
    recursive: list[Any] = []
    recursive.append(recursive)
    return {
        "empty": b"",
        "text": b"<html>404 not found</html>",
        "truncated": good[: len(good) // 2],
        "truncated_legacy": old[:-50],
        "compressed": bomb.getvalue(),
        "only_a_list": save([1], tmp_path / "l.pth", "zip").read_bytes(),
        "recursive": save({"a": recursive}, tmp_path / "r.pth", "zip").read_bytes(),
        "plain_pickle": pickle.dumps({"a": 1}),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "empty", "text", "truncated", "truncated_legacy", "compressed", "only_a_list", "recursive",
        "plain_pickle",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.pth"
    path.write_bytes(damaged(tmp_path)[kind])
    with pytest.raises(ModelUnusableError) as caught:
        read_checkpoint(path)
    assert caught.value.reasons == ("checkpoint_unreadable",)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusableError):
        read_checkpoint(tmp_path / "none.pth")


def test_the_oracles_checkpoints_hold_what_torch_reads(shared_data: Path) -> None:
    models = shared_data / "data" / "oracle" / "models"
    for path in [*models.rglob("*.pth"), *models.rglob("*.ckpt")]:
        ours = read_checkpoint(path)
        theirs = torch.load(path, map_location="cpu", weights_only=False)
        key = "network_weights" if "network_weights" in theirs else "state_dict"
        assert list(ours[key]) == list(theirs[key])
        assert all(torch.equal(ours[key][name], theirs[key][name]) for name in theirs[key])
