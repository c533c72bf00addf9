"""Settings read anew while the node runs: whether they can be used, and which need a restart."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from app.errors import ConfigurationError
from app.node.telemetry import events
from operators.errors import SpineError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from app.node.telemetry.logs import Emit
    from app.settings import Settings

NEEDING_RESTART: Final = (
    "node.data",
    "node.database_url",
    "node.listener.host",
    "node.listener.port",
    "node.listener.tls_port",
    "node.web.host",
    "node.web.port",
)
"""Settings that a reload cannot change: the folder and journal that all processes share, and the
ports. A port that turns out to be taken would otherwise close the one that works."""


@dataclass(slots=True)
class Reload:
    """Takes new settings when they are wanted and can be used.

    Attributes
    ----------
    current : Settings
        What the node works by.
    wanted : threading.Event
        Set by SIGHUP.
    read : callable
        Reads the settings; raises `SpineError` where they cannot be used.
    """

    current: Settings
    wanted: threading.Event
    read: Callable[[], Settings]

    def take(self, emit: Emit) -> Settings | None:
        """Give new settings, once, where they are wanted.

        Parameters
        ----------
        emit : Emit
            Told of settings that were read, and of those that cannot be used.

        Returns
        -------
        Settings or None
            None: everything stays as it is. Where one setting needs a restart, none is taken.
        """
        if not self.wanted.is_set():
            return None
        self.wanted.clear()
        try:
            settings = self.read()
            check_reloadable(self.current, settings)
        except SpineError as error:
            sys.stderr.write(f"{error}\n")
            emit(events.SETTINGS_REFUSED, code=error.code)
            return None
        self.current = settings
        emit(events.SETTINGS_RELOADED)
        return settings


def check_reloadable(current: Settings, new: Settings) -> None:
    """Pass where nothing differs that only a restart can change.

    Raises
    ------
    ConfigurationError
        Naming the settings.
    """
    changed = [
        path for path in NEEDING_RESTART if attrgetter(path)(current) != attrgetter(path)(new)
    ]
    if changed:
        raise ConfigurationError(
            f"app.yaml: a reload cannot change {', '.join(changed)}: restart the node"
        )
