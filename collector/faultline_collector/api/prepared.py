"""Bytes that are made once and handed to everyone who asks."""

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

_WORTH_PACKING = 500


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A body, the same packed by gzip where that is worth it, and a tag that changes with the content."""

    body: bytes
    packed: bytes | None
    tag: str
    media_type: str = "application/json"


def prepare(body: bytes, media_type: str = "application/json") -> Prepared:
    """Makes a body ready; the tag is weak because both variants share it."""
    packed = gzip.compress(body, 5, mtime=0) if len(body) >= _WORTH_PACKING else None
    return Prepared(body, packed, f'W/"{sha256(body).hexdigest()[:24]}"', media_type)


def prepare_answer(answer: BaseModel) -> Prepared:
    """Makes an answer ready as JSON."""
    return prepare(answer.model_dump_json().encode())


class Lazy:
    """Is built when first read after a change, once for all readers."""

    __slots__ = ("_build", "_ready")

    def __init__(self, build: Callable[[], Prepared]) -> None:
        self._build = build
        self._ready: Prepared | None = None

    def expire(self) -> None:
        """Says that something changed."""
        self._ready = None

    def read(self) -> Prepared:
        """The bytes as of the last change."""
        if self._ready is None:
            self._ready = self._build()
        return self._ready


def respond(request: Request, prepared: Prepared, cache: str = "no-cache") -> Response:
    """Answers with the packed or the plain body, or with 304 when the reader has it already."""
    headers = {"ETag": prepared.tag, "Cache-Control": cache, "Vary": "Accept-Encoding"}
    if _holds(request.headers.get("if-none-match", ""), prepared.tag):
        return Response(status_code=304, headers=headers)
    if prepared.packed is not None and accepts_gzip(request.headers.get("accept-encoding", "")):
        headers["Content-Encoding"] = "gzip"
        return Response(prepared.packed, headers=headers, media_type=prepared.media_type)
    return Response(prepared.body, headers=headers, media_type=prepared.media_type)


def accepts_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    return re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", accepted, re.IGNORECASE) is not None


def _holds(held: str, tag: str) -> bool:
    return held.strip() == "*" or tag in (part.strip() for part in held.split(","))
