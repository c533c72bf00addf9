"""Authorities and certificates in files, made anew for each test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key


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

    def revoke(self, *revoked: Files, valid_days: float = 7) -> Path:
        """Write the list of certificates that are revoked; negative days: it is outdated."""
        key = load_pem_private_key(self._authority.private_key_pem.bytes(), None)
        issuer = x509.load_pem_x509_certificate(self._authority.cert_pem.bytes())
        ends = datetime.now(UTC) + timedelta(days=valid_days)
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(ends - timedelta(days=30))
            .next_update(ends)
        )
        for files in revoked:
            leaf = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0]
            entry = x509.RevokedCertificateBuilder().serial_number(leaf.serial_number)
            made = made.add_revoked_certificate(entry.revocation_date(datetime.now(UTC)).build())
        file = self._folder / f"{self._name}.crl.pem"
        file.write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
        return file

    def issue(self, name: str, expires: datetime = datetime(2999, 1, 1, tzinfo=UTC)) -> Files:
        """Certify a host name, and the loopback address."""
        made = self._authority.issue_cert(name, "127.0.0.1", common_name=name, not_after=expires)
        files = Files(self._folder / f"{name}.cert.pem", self._folder / f"{name}.key.pem")
        made.private_key_pem.write_to_path(str(files.key))
        for number, part in enumerate(made.cert_chain_pems):
            part.write_to_path(str(files.certificate), append=number > 0)
        return files
