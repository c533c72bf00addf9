"""What the site decided: app.yaml and the environment, read here and nowhere else.

A section of app.yaml has its module: `pipeline`, `node`, and of the latter's parts `listener`,
`peers`, `people`, `patients`, `audit`, `alerts` and `tls`. `file` puts them together and reads
app.yaml.
"""

from app.settings.environment import HostFolders, host_folders, secret_of, service_manager
from app.settings.file import Settings, load_settings
from app.settings.listener import ListenerSettings
from app.settings.node import (
    CompletenessSettings,
    DeliverySettings,
    NodeSettings,
    Release,
    RetentionSettings,
    WebSettings,
    WorkerSettings,
)
from app.settings.pipeline import (
    InferenceSettings,
    IntendedUseSettings,
    ModelSettings,
    OutputSettings,
    SelectionOptions,
)
from app.settings.places import BUNDLED_CONFIG, BUNDLED_MODELS, model_places, user_models

__all__ = [
    "BUNDLED_CONFIG",
    "BUNDLED_MODELS",
    "CompletenessSettings",
    "DeliverySettings",
    "HostFolders",
    "InferenceSettings",
    "IntendedUseSettings",
    "ListenerSettings",
    "ModelSettings",
    "NodeSettings",
    "OutputSettings",
    "Release",
    "RetentionSettings",
    "SelectionOptions",
    "Settings",
    "WebSettings",
    "WorkerSettings",
    "host_folders",
    "load_settings",
    "model_places",
    "secret_of",
    "service_manager",
    "user_models",
]
