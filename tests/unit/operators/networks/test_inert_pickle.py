import io
import pickle

import numpy as np
import pytest

from operators.networks.inert_pickle import _ALLOWED, InertObject, InertUnpickler


def read(content: object, protocol: int = 2) -> object:
    return InertUnpickler(io.BytesIO(pickle.dumps(content, protocol))).load()


def test_nothing_on_the_table_is_a_real_function_or_class_of_another_module():
    assert {type(entry).__module__ for entry in _ALLOWED.values()} <= {
        "operators.networks.inert_pickle",
        "builtins",
    }
    assert all(
        getattr(entry, "__module__", "operators.networks.inert_pickle")
        == "operators.networks.inert_pickle"
        for entry in _ALLOWED.values()
    )


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_numbers_text_and_containers_survive_every_protocol(protocol: int) -> None:
    content = {"a": [1, 2.5, None, True], "b": ("x", b"y\xff"), "c": {1, 2}}
    assert read(content, protocol) == content


def test_an_inert_object_records_its_state_and_ignores_calls_and_items():
    made = read(pickle.Pickler(io.BytesIO()).__class__)
    assert issubclass(made, InertObject)  # type: ignore[arg-type]
    instance = made(1, two=2)  # type: ignore[operator]
    instance["a"] = 1
    instance.append(1)
    instance.extend([1])
    instance.add(1)
    assert instance(5) is instance
    assert instance.arguments == (1, 2)
    assert instance.state is None


def test_an_object_array_stays_inert():
    array = np.array([{"a": 1}], dtype=object)
    assert isinstance(read(array), InertObject)


def test_only_latin_1_bytes_are_decoded():
    hostile = b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00ziptR."
    with pytest.raises(pickle.UnpicklingError):
        InertUnpickler(io.BytesIO(hostile)).load()


@pytest.mark.parametrize(
    "opcodes",
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n(NI0\n(I1\nt(I1\nttR.",  # tensor without storage
        b"S'other'\nQ.",  # persistent object that is no storage
        b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI-4\ntQ.",  # negative size
    ],
)
def test_malformed_tensors_are_refused(opcodes: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        InertUnpickler(io.BytesIO(opcodes)).load()
