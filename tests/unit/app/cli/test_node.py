from pathlib import Path

import pytest
import yaml

from app.cli.node import startable_settings
from app.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[4]
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def site(folder: Path, dropped: str) -> Path:
    config = folder / "app.yaml"
    document = yaml.safe_load((ROOT / "app.yaml").read_text(encoding="utf-8"))
    document["node"] = {"listener": {"dropped_sop_classes": [dropped]}}
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    return config


def test_a_reload_with_what_the_listener_would_refuse_is_refused_before_it_ends(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="dropped_sop_classes"):
        startable_settings(site(tmp_path, MR_IMAGE), tmp_path)


def test_a_reload_with_another_class_to_drop_goes_on(tmp_path: Path):
    settings = startable_settings(site(tmp_path, CT_IMAGE), tmp_path)
    assert settings.node.listener.dropped_sop_classes == [CT_IMAGE]
    assert settings.node.data == tmp_path
