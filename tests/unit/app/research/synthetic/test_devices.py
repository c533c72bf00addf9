"""A device that is not there has a name of its own among the errors."""

from __future__ import annotations

import pytest

from app.errors import ConfigurationError
from app.research.synthetic.devices import require_device


@pytest.mark.parametrize("device", ["banana", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_by_name(device: str) -> None:
    with pytest.raises(ConfigurationError, match=device) as refused:
        require_device(device)
    assert refused.value.reasons == ("no_such_device",)


def test_the_cpu_is_always_there() -> None:
    require_device("cpu")
