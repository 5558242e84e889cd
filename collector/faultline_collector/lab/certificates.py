"""Certificates made on the spot: an authority, and what it issues to servers and clients."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LASTS = timedelta(days=90)
_BEFORE = timedelta(days=60)


class Authority:
    """A certificate authority whose key lives only here; its certificate lies in `file`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "authority.pem"
        self._now = datetime.now(UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._own()
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, file: Path, common_name: str, names: Sequence[str] = (), lasts: timedelta = _LASTS
    ) -> Path:
        """Writes key and certificate into one PEM file; `names` are DNS names (also wildcards) or IPs."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            self._builder(_named(common_name), key, self._now + lasts)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        _write(file, key, builder.sign(self._key, hashes.SHA256()))
        return file

    def _own(self) -> x509.Certificate:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        return (
            self._builder(_AUTHORITY, self._key, self._now + _LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_AUTHORITY)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _BEFORE)
            .not_valid_after(until)
        )


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the authority's certificate lies, and what servers show: a good or an expired certificate."""

    authority: Path
    good: ssl.SSLContext
    expired: ssl.SSLContext


def make_certificates(folder: Path, names: list[str]) -> Certificates:
    """Makes all of it in `folder`, for these names (wildcards allowed)."""
    authority = Authority(folder)
    good = authority.issue(folder / "good.pem", "lab site", names)
    expired = authority.issue(folder / "expired.pem", "lab site", names, -timedelta(days=1))
    return Certificates(authority.file, _context(good), _context(expired))


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.num_tickets = 0  # probes never resume a session
    return context


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


_AUTHORITY = _named("Faultline lab authority")


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(file: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.touch(mode=0o600)
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
