"""The certificate that a server really shows, whether it is good or not."""

import asyncio
import ssl
from typing import TYPE_CHECKING

from faultline_agent.probes.probe import Probe
from faultline_agent.probes.tools import ProbeTools
from faultline_agent.proofs.proof import CannotGather, Data, address_of, endpoint

if TYPE_CHECKING:
    from cryptography import x509

PATIENCE_S = 5.0


async def gather_certificate(probe: Probe, tools: ProbeTools) -> Data:
    """Shakes hands without believing anything, and tells what was shown."""
    if not probe.shows_certificate:
        raise CannotGather("this target does not speak TLS")
    host = endpoint(probe)[0].strip("[]")
    address, port = await address_of(probe, tools)
    try:
        async with asyncio.timeout(PATIENCE_S):
            shown, protocol = await _shown(address, port, host)
    except TimeoutError as error:
        raise CannotGather(f"no handshake with {address} within {PATIENCE_S:g} s") from error
    except OSError as error:
        raise CannotGather(f"no handshake with {address}: {error.strerror or error}") from error
    return {"address": address, "host": host, "protocol": protocol, **read_certificate(shown)}


async def _shown(address: str, port: int, host: str) -> tuple[bytes, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
    try:
        secured = writer.get_extra_info("ssl_object")
        return secured.getpeercert(binary_form=True) or b"", secured.version() or ""
    finally:
        writer.transport.abort()


def read_certificate(shown: bytes) -> Data:
    """What a certificate in DER says of itself; raises CannotGather."""
    from cryptography import x509  # megabytes that an agent needs only when it is asked
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        certificate = x509.load_der_x509_certificate(shown)
        names = _alternative_names(certificate)
        subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    except ValueError as error:
        raise CannotGather("the certificate cannot be read") from error
    return {
        "subject": subject,
        "issuer": issuer,
        "names": names,
        "begins": certificate.not_valid_before_utc.isoformat(),
        "ends": certificate.not_valid_after_utc.isoformat(),
        "sha256": certificate.fingerprint(SHA256()).hex(),
    }


def _alternative_names(certificate: "x509.Certificate") -> list[str]:
    from cryptography import x509

    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in held]
