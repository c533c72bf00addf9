"""Authorities and certificates in files, made anew for each test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Files:
    """PEM files of one certificate."""

    certificate: Path
    key: Path


class Authority:
    """Certifies names; `trusted` is what others have to trust."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder, self._name = folder, name
        self._authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.trusted = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(str(self.trusted))

    def issue(self, name: str, expires: datetime = datetime(2999, 1, 1, tzinfo=UTC)) -> Files:
        """Certify a host name, and the loopback address."""
        made = self._authority.issue_cert(name, "127.0.0.1", common_name=name, not_after=expires)
        files = Files(self._folder / f"{name}.cert.pem", self._folder / f"{name}.key.pem")
        made.private_key_pem.write_to_path(str(files.key))
        for number, part in enumerate(made.cert_chain_pems):
            part.write_to_path(str(files.certificate), append=number > 0)
        return files
