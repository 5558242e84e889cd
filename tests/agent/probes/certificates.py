"""Certificates made for one test run."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Authority:
    """Issues certificates; `file` is what clients trust."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name
    file: Path

    def server(self, host: str, *, days: float = 90, own: bool = False) -> ssl.SSLContext:
        """A server's TLS with a certificate for `host` that ends in `days`; `own`: signed by itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        signer, issuer = (key, _name(host)) if own else (self.key, self.name)
        certificate = _build(_name(host), key, issuer, days).add_extension(
            x509.SubjectAlternativeName([_general_name(host)]), critical=False
        )
        path = self.folder / f"{host}-{days}-{own}.pem"
        path.write_bytes(certificate.sign(signer, hashes.SHA256()).public_bytes(PEM) + _key_bytes(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def make_authority(folder: Path) -> Authority:
    """A new authority whose files lie in `folder`."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("Test authority")
    certificate = (
        _build(name, key, name, 3650)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    file = folder / "authority.pem"
    file.write_bytes(certificate.sign(key, hashes.SHA256()).public_bytes(PEM))
    return Authority(folder, key, name, file)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(host: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)


def _build(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, days: float
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1000))
        .not_valid_after(now + timedelta(days=days))
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, encryption_algorithm=serialization.NoEncryption()
    )
