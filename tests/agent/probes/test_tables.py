"""Every foreign error that a probe can meet is mapped, and the tables are complete."""

import errno
import re
import socket
from importlib import import_module
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import pycurl
import pytest

import faultline_agent.probes
from faultline.columns import MAX_DETAIL_LENGTH, TIMING_NAME, TOTAL
from faultline.outcomes import Outcome
from faultline_agent.probes import PROBES
from faultline_agent.probes.probe import Probe
from faultline_agent.probes.tools import codes as libcurl
from faultline_agent.probes.tools import resolve, sockets
from faultline_agent.probes.tools.stopwatch import LATE

OTHER_PROTOCOLS = re.compile("E_(MULTI|FTP|TFTP|LDAP|TELNET|RTSP|SSH|FILE|REMOTE|QUOTE|CHUNK|CONV)_?")
"""Codes of multi handles, and of protocols other than HTTP."""

NEVER = {
    "E_OK": "is no error",
    "E_ALREADY_COMPLETE": "means resuming a download",
    "E_BAD_CALLING_ORDER": "is not used by libcurl any more",
    "E_BAD_DOWNLOAD_RESUME": "means resuming a download",
    "E_BAD_PASSWORD_ENTERED": "is not used by libcurl any more",
    "E_CALL_MULTI_PERFORM": "is not used by libcurl any more",
    "E_COULDNT_RESOLVE_PROXY": "needs a proxy, and PROXY is empty",
    "E_FUNCTION_NOT_FOUND": "is LDAP's",
    "E_HTTP_NOT_FOUND": "is the old name of E_HTTP_RETURNED_ERROR",
    "E_HTTP_PORT_FAILED": "is the old name of E_INTERFACE_FAILED",
    "E_LIBRARY_NOT_FOUND": "is LDAP's",
    "E_LOGIN_DENIED": "is FTP's and mail's",
    "E_MALFORMAT_USER": "is not used by libcurl any more",
    "E_OPERATION_TIMEOUTED": "is the old name of E_OPERATION_TIMEDOUT",
    "E_RANGE_ERROR": "is the old name of E_HTTP_RANGE_ERROR",
    "E_SHARE_IN_USE": "is of share handles",
    "E_SSL_CACERT": "is the old name of E_PEER_FAILED_VERIFICATION",
    "E_SSL_PEER_CERTIFICATE": "is the old name of E_PEER_FAILED_VERIFICATION",
    "E_UPLOAD_FAILED": "is FTP's and mail's",
    "E_URL_MALFORMAT_USER": "is not used by libcurl any more",
}
"""Codes that an HTTP transfer never ends with, and why."""


def test_every_code_of_libcurl_is_mapped_or_explained() -> None:
    """A new libcurl with a new code makes this fail."""
    codes = {name for name in dir(pycurl) if name.startswith("E_") and not OTHER_PROTOCOLS.match(name)}
    unmapped = {name for name in codes if getattr(pycurl, name) not in libcurl.CODES}
    assert unmapped - set(NEVER) == set()
    assert set(NEVER) - codes == set()


def test_every_errno_of_a_socket_is_mapped() -> None:
    """What the man pages of socket, connect, send and recv name for TCP and UDP."""
    documented = (
        "EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT ECONNABORTED ECONNREFUSED ECONNRESET EHOSTDOWN"
        " EHOSTUNREACH EINVAL EMFILE ENETDOWN ENETUNREACH ENFILE ENOBUFS ENOMEM EPERM EPIPE EPROTO ETIMEDOUT"
    )
    assert {getattr(errno, name) for name in documented.split()} == set(sockets.ERRNOS)


def test_unknown_errno_says_nothing_about_the_target() -> None:
    """Inconclusive, with the system's words."""
    failure = sockets.failed(errno.EXDEV, "connecting")
    assert failure.outcome is Outcome.INCONCLUSIVE
    assert failure.sentence == "connecting: Invalid cross-device link"


def test_every_code_of_getaddrinfo_is_mapped() -> None:
    """Those that name a wrong call apart, which a probe does not make."""
    wrong_calls = {"EAI_BADFLAGS", "EAI_SERVICE", "EAI_SOCKTYPE"}
    codes = {getattr(socket, name) for name in dir(socket) if name.startswith("EAI_")}
    unmapped = codes - {getattr(socket, name) for name in wrong_calls} - set(resolve.GAI)
    assert {number for number in unmapped if number < 0} == set()


def _below(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(_below(each) for each in kind.__subclasses__()))


@pytest.mark.parametrize("error", sorted(_below(dns.exception.FormError), key=repr))
def test_every_unreadable_dns_answer_is_mapped(error: type[Exception]) -> None:
    """Whatever from_wire raises about the bytes."""
    assert any(issubclass(error, known) for known in resolve.ERRORS)


@pytest.mark.parametrize("kind", PROBES)
def test_kind_is_listed_under_its_own_name(kind: str) -> None:
    """The table, the class and the file agree."""
    assert PROBES[kind].kind == kind
    assert PROBES[kind].__module__ == f"faultline_agent.probes.{kind}"


def test_every_probe_of_the_folder_is_in_the_table() -> None:
    """A file without its line would never be run."""
    folder = Path(str(faultline_agent.probes.__file__)).parent
    modules = [import_module(f"faultline_agent.probes.{path.stem}") for path in folder.glob("[!_]*.py")]
    found = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    assert {each for each in found if issubclass(each, Probe)} - {Probe} == set(PROBES.values())


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES.keys())
def test_timings_have_names_that_the_wire_takes_and_sentences_for_being_late(probe: type[Probe]) -> None:
    """Names are short, total is among them, and each phase can be blamed for a time-out."""
    assert all(TIMING_NAME.fullmatch(name) for name in probe.timings)
    assert probe.timings[-1] == TOTAL
    assert set(probe.timings) - {TOTAL} <= set(LATE)


def test_sentences_fit_the_wire() -> None:
    """No mapped sentence comes near the bound."""
    said = [text for table in (libcurl.CODES, sockets.ERRNOS, resolve.ERRORS) for _, text in table.values()]
    assert max(len(text) for text in said) < MAX_DETAIL_LENGTH / 2
