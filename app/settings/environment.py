"""What the environment says beside app.yaml: secrets, the service manager, the MAP host."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from app.errors import ConfigurationError
from app.service_manager import ServiceManager
from app.settings.section import Section

_MICROSECONDS = 1_000_000


class HostFolders(Section):
    """Folders named by a MAP host (MONAI Application Package specification 1.0)."""

    input: Path
    output: Path
    models: Path | None
    logs: Path | None


def secret_of(variable: str, file: Path | None) -> SecretStr | None:
    """Secret from the environment or a file; the environment wins.

    Parameters
    ----------
    variable : str
        Of the environment.
    file : Path or None
        Holds nothing but the secret; blanks around it do not count.

    Returns
    -------
    SecretStr or None
        None where neither is there.

    Raises
    ------
    ConfigurationError
        If the file cannot be read.
    """
    named = os.environ.get(variable)
    if named:
        return SecretStr(named)
    if file is None:
        return None
    try:
        return SecretStr(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("a file with a secret cannot be read") from error


def service_manager() -> ServiceManager:
    """Find the service manager that started this process (sd_notify(3), sd_watchdog_enabled(3))."""
    is_meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    return ServiceManager(
        address=os.environ.get("NOTIFY_SOCKET", ""),
        watchdog_s=int(limit_us) / _MICROSECONDS if is_meant and limit_us.isdecimal() else 0.0,
    )


def host_folders() -> HostFolders:
    """Folders that the MAP host named in the environment; the SDK's defaults otherwise."""
    models = os.environ.get("HOLOSCAN_MODEL_PATH")
    logs = os.environ.get("HOLOSCAN_LOGS_PATH")
    return HostFolders(
        input=Path(os.environ.get("HOLOSCAN_INPUT_PATH") or "input"),
        output=Path(os.environ.get("HOLOSCAN_OUTPUT_PATH") or "output"),
        models=Path(models) if models else None,
        logs=Path(logs) if logs else None,
    )
