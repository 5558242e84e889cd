"""One InfluxDB server, through influxdb-client: lines in, rows out, every call with a deadline."""

import csv
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from influxdb_client import Dialect, InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3 import Timeout
from urllib3.exceptions import HTTPError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as NoAnswer

from faultline.hosts import is_loopback
from faultline_collector.stores.influxdb.address import Address
from faultline_collector.stores.influxdb.answers import TAKEN, Answer, Kind, answer_of
from faultline_collector.stores.store import StoreError

WRITE_DEADLINE_S = 30.0
QUERY_DEADLINE_S = 60.0
_CONNECT_S = 5.0
_READ_BYTES = 2**20
_GZIP = 16 + zlib.MAX_WBITS

_DIALECT = Dialect(
    header=True, annotations=[], delimiter=",", comment_prefix="#", date_time_format="RFC3339Nano"
)

Ask = Callable[[str], Iterable[list[str]]]
"""Takes a Flux query, gives the rows of its answer, and raises StoreError when there is none."""


class Server:
    """Writes and asks. `token` is read again whenever the server does not accept it. Safe for threads."""

    def __init__(
        self,
        address: Address,
        token: Callable[[], str],
        *,
        authorities: Path | None = None,
        write_deadline_s: float = WRITE_DEADLINE_S,
        query_deadline_s: float = QUERY_DEADLINE_S,
    ) -> None:
        self.address = address
        self._token = token
        self._authorities = authorities
        self._write_timeout = Timeout(connect=_CONNECT_S, read=write_deadline_s)
        self._query_timeout = _milliseconds(query_deadline_s)
        self._far = not is_loopback(address.host)
        self._client = self._connect()

    def write(self, bucket: str, body: Sequence[bytes]) -> Answer:
        """Sends lines, in pieces, to a bucket; every way in which it can end is an answer."""
        try:
            response = self._post(bucket, [_compressed(body)] if self._far else body)
        except HTTPError as error:
            return Answer(Kind.AWAY, _why(error))
        if 200 <= response.status < 300:
            return TAKEN
        now = datetime.now(UTC)
        answer = answer_of(response.status, _message(response.data), dict(response.headers), now)
        if answer.kind is Kind.REFUSED:
            self.renew()
        return answer

    def _post(self, bucket: str, body: Sequence[bytes]) -> Any:
        """By the client's own connections: its service of writes takes no pieces, and so a copy of all."""
        client = self._client.api_client
        where = urlencode({"org": self.address.org, "bucket": bucket, "precision": "ns"})
        headers = client.default_headers | {
            "Content-Encoding": "gzip" if self._far else "identity",
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(sum(map(len, body))),
        }
        return client.rest_client.pool_manager.request(
            "POST", f"{self.address.url}/api/v2/write?{where}", body=body, headers=headers,
            timeout=self._write_timeout, retries=False,
        )  # fmt: skip

    def ask(self, flux: str) -> Iterator[list[str]]:
        """The rows of a Flux query's answer, as annotated CSV without annotations; raises StoreError."""
        try:
            with self._client.query_api().query_raw(flux, dialect=_DIALECT) as response:
                response.auto_close = False  # a reader of a reader asks once more behind the end
                held = io.BufferedReader(response, _READ_BYTES)
                yield from csv.reader(io.TextIOWrapper(held, "utf-8", newline=""))
        except (ApiException, HTTPError) as error:
            raise StoreError(f"InfluxDB at {self.address.url} {failure_of(error)}") from error

    def delete(self, bucket: str, since: str, until: str) -> None:
        """Deletes every point of a bucket in a span of time; raises StoreError."""
        try:
            self._client.delete_api().delete(since, until, "", bucket=bucket, org=self.address.org)
        except (ApiException, HTTPError) as error:
            raise StoreError(f"InfluxDB at {self.address.url} {failure_of(error)}") from error

    def kept_us(self, bucket: str) -> int:
        """How long a bucket keeps its points, microseconds; 0 is for ever. Raises StoreError."""
        try:
            found = self._client.buckets_api().find_buckets(name=bucket).buckets
        except (ApiException, HTTPError) as error:
            raise StoreError(f"InfluxDB at {self.address.url} {failure_of(error)}") from error
        return sum(int(rule.every_seconds) for one in found for rule in one.retention_rules) * 1_000_000

    def renew(self) -> None:
        """Takes up the token again; it may have been replaced."""
        with suppress(StoreError):
            value = f"Token {self._token()}"
            self._client.api_client.set_default_header("Authorization", value)

    def close(self) -> None:
        """Lets go of all connections; safe twice."""
        self._client.close()

    def _connect(self) -> InfluxDBClient:
        return InfluxDBClient(
            self.address.url,
            self._token(),
            org=self.address.org,
            timeout=self._query_timeout,
            retries=False,
            ssl_ca_cert=str(self._authorities) if self._authorities else None,
        )


def failure_of(error: Exception) -> str:
    """What a failed request comes to, to be put behind the name of the server."""
    if isinstance(error, ApiException):
        return _answer(error).why
    return _why(error)


def _milliseconds(deadline_s: float) -> tuple[int, int]:
    return int(_CONNECT_S * 1000), int(deadline_s * 1000)


def _answer(error: ApiException) -> Answer:
    if not error.status:  # influxdb-client's way of telling that TLS has failed
        return Answer(Kind.AWAY, _untrusted(error.reason))
    return answer_of(error.status, _message(error.body), dict(error.headers or {}), datetime.now(UTC))


def _message(body: Any) -> str:
    """What an error's body says, in one line."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    with suppress(ValueError, TypeError, KeyError):
        text = str(json.loads(text)["message"])
    return " ".join(text.split())[:500]


def _why(error: Exception) -> str:
    if isinstance(error, NewConnectionError):
        return "does not take connections"
    if isinstance(error, SSLError):
        return _untrusted(error)
    if isinstance(error, NoAnswer):
        return "does not answer in time"
    return f"breaks off ({type(error).__name__})"


def _untrusted(reason: object) -> str:
    return f"does not speak TLS as it should ({' '.join(str(reason).split())})"


def _compressed(body: Sequence[bytes]) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return b"".join([*map(packer.compress, body), packer.flush()])
