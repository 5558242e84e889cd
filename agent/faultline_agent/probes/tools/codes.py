"""What libcurl's codes mean to a probe."""

import pycurl

from faultline.outcomes import Outcome
from faultline_agent.probes.probe import ProbeFailed

_HTTP2_STREAM, _SSL_CLIENTCERT, _UNRECOVERABLE_POLL, _TOO_LARGE = 92, 98, 99, 100
"""Codes that pycurl has no names for (libcurl-errors(3))."""

CODES: dict[int, tuple[Outcome, str]] = {
    pycurl.E_UNSUPPORTED_PROTOCOL: (Outcome.HTTP, "the answer is not HTTP"),
    pycurl.E_FAILED_INIT: (Outcome.INCONCLUSIVE, "libcurl could not start"),
    pycurl.E_URL_MALFORMAT: (Outcome.INCONCLUSIVE, "the URL cannot be understood"),
    pycurl.E_NOT_BUILT_IN: (Outcome.INCONCLUSIVE, "this agent's libcurl lacks a feature"),
    pycurl.E_COULDNT_RESOLVE_HOST: (Outcome.DNS, "the name cannot be resolved"),
    pycurl.E_COULDNT_CONNECT: (Outcome.INCONCLUSIVE, "this agent could not open a socket"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: (Outcome.HTTP, "the answer is not HTTP"),
    pycurl.E_HTTP2: (Outcome.HTTP, "the answer breaks the rules of HTTP/2"),
    pycurl.E_PARTIAL_FILE: (Outcome.HTTP, "the connection was closed in the middle of the answer"),
    pycurl.E_HTTP_RETURNED_ERROR: (Outcome.HTTP, "the server answered with an error"),
    pycurl.E_WRITE_ERROR: (Outcome.INCONCLUSIVE, "the answer could not be taken"),
    pycurl.E_READ_ERROR: (Outcome.INCONCLUSIVE, "the request could not be read"),
    pycurl.E_OUT_OF_MEMORY: (Outcome.INCONCLUSIVE, "this agent's machine is out of memory"),
    pycurl.E_OPERATION_TIMEDOUT: (Outcome.TIMEOUT, "no answer in time"),
    pycurl.E_HTTP_RANGE_ERROR: (Outcome.HTTP, "the server does not take ranges"),
    pycurl.E_HTTP_POST_ERROR: (Outcome.INCONCLUSIVE, "the request cannot be made"),
    pycurl.E_SSL_CONNECT_ERROR: (Outcome.TLS, "the TLS handshake failed"),
    pycurl.E_ABORTED_BY_CALLBACK: (Outcome.INCONCLUSIVE, "the agent broke off"),
    pycurl.E_BAD_FUNCTION_ARGUMENT: (Outcome.INCONCLUSIVE, "libcurl was misused"),
    pycurl.E_INTERFACE_FAILED: (Outcome.INCONCLUSIVE, "this agent's network interface failed"),
    pycurl.E_TOO_MANY_REDIRECTS: (Outcome.HTTP, "too many redirects"),
    pycurl.E_UNKNOWN_OPTION: (Outcome.INCONCLUSIVE, "libcurl was misused"),
    pycurl.E_GOT_NOTHING: (Outcome.HTTP, "the server closed the connection without an answer"),
    pycurl.E_SSL_ENGINE_NOTFOUND: (Outcome.INCONCLUSIVE, "this agent's TLS engine is missing"),
    pycurl.E_SSL_ENGINE_SETFAILED: (Outcome.INCONCLUSIVE, "this agent's TLS engine failed"),
    pycurl.E_SEND_ERROR: (Outcome.HTTP, "the connection broke while the request was sent"),
    pycurl.E_RECV_ERROR: (Outcome.HTTP, "the connection broke before the answer was complete"),
    pycurl.E_SSL_CERTPROBLEM: (Outcome.INCONCLUSIVE, "this agent's client certificate is unusable"),
    pycurl.E_SSL_CIPHER: (Outcome.TLS, "no cipher in common"),
    pycurl.E_PEER_FAILED_VERIFICATION: (Outcome.TLS, "the certificate is refused"),
    pycurl.E_BAD_CONTENT_ENCODING: (Outcome.HTTP, "the answer's encoding is broken"),
    pycurl.E_FILESIZE_EXCEEDED: (Outcome.HTTP, "the answer is too long"),
    pycurl.E_USE_SSL_FAILED: (Outcome.TLS, "TLS could not be had"),
    pycurl.E_SEND_FAIL_REWIND: (Outcome.INCONCLUSIVE, "the request could not be sent again"),
    pycurl.E_SSL_ENGINE_INITFAILED: (Outcome.INCONCLUSIVE, "this agent's TLS engine failed"),
    pycurl.E_SSL_CACERT_BADFILE: (Outcome.INCONCLUSIVE, "the file of authorities cannot be read"),
    pycurl.E_AGAIN: (Outcome.INCONCLUSIVE, "libcurl was not ready"),
    pycurl.E_SSL_CRL_BADFILE: (Outcome.INCONCLUSIVE, "the revocation list cannot be read"),
    pycurl.E_SSL_ISSUER_ERROR: (Outcome.TLS, "the certificate's issuer is not the expected one"),
    pycurl.E_SSL_SHUTDOWN_FAILED: (Outcome.TLS, "TLS was not closed properly"),
    pycurl.E_NO_CONNECTION_AVAILABLE: (Outcome.INCONCLUSIVE, "libcurl has no connection left"),
    pycurl.E_SSL_PINNEDPUBKEYNOTMATCH: (Outcome.TLS, "the certificate's key is not the pinned one"),
    pycurl.E_SSL_INVALIDCERTSTATUS: (Outcome.TLS, "the certificate's status is not good"),
    _HTTP2_STREAM: (Outcome.HTTP, "the server broke off its answer over HTTP/2"),
    _SSL_CLIENTCERT: (Outcome.TLS, "the server wants a certificate of the client"),
    _UNRECOVERABLE_POLL: (Outcome.INCONCLUSIVE, "this agent's system failed"),
    _TOO_LARGE: (Outcome.HTTP, "the head of the answer is too long"),
}
"""Every code of libcurl that an HTTP transfer can end with; a connection that fails has an errno besides."""

EXPLAINED = frozenset({pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CONNECT_ERROR})
"""Codes to which libcurl adds a reason worth telling."""


def failed(code: int, said: str, subject: str) -> ProbeFailed:
    """The failure that a code stands for, with libcurl's own words where they tell more."""
    outcome, sentence = CODES.get(code, (Outcome.INCONCLUSIVE, f"libcurl ended with code {code}"))
    reason = f" ({_reason(said)})" if code in EXPLAINED else ""
    return ProbeFailed(outcome, f"{subject}: {sentence}{reason}")


def _reason(text: str) -> str:
    """libcurl's own words without the number of OpenSSL's error, which only programs read."""
    plain = text.removeprefix("SSL certificate problem: ").removeprefix("SSL: ")
    return plain.rpartition("error:")[2].lstrip("0123456789ABCDEF:").replace("routines::", ": ").strip()[:200]
