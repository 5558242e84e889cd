"""The page: the files that the package build put into `page/`, and what browsers must know of them."""

import mimetypes
import re
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faultline_collector.api.prepared import Prepared, prepare, respond

PAGE = Path(__file__).parent / "page"
"""Where the package build puts the page."""

_HASHED = re.compile(r"[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
_NOT_BUILT = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>Faultline</title>'
    b"<p>The page is not built. Run <code>make page</code> and start the collector again. "
    b'The API answers under <a href="/api/v1/state">/api/v1</a>.</p></html>\n'
)
_SECURITY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Site:
    """The page's files in memory, by their path below `/`."""

    def __init__(self, folder: Path = PAGE) -> None:
        self._files = {"index.html": prepare(_NOT_BUILT, "text/html; charset=utf-8")}
        if (folder / "index.html").is_file():
            self._files = {
                path.relative_to(folder).as_posix(): _load(path)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }

    def answer(self, request: Request) -> Response | None:
        """The file that is asked for, or None."""
        path = request.url.path.removeprefix("/") or "index.html"
        file = self._files.get(path)
        if file is None:
            return None
        hashed = path.startswith("assets/") and _HASHED.search(path)
        return respond(request, file, "public, max-age=31536000, immutable" if hashed else "no-cache")


def _load(path: Path) -> Prepared:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("application/javascript", "application/json")
    return prepare(path.read_bytes(), f"{kind}; charset=utf-8" if text else kind)


class SecurityHeaders:
    """Tells browsers to load nothing from elsewhere and to be framed by nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds the headers to every answer."""

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_SECURITY)
            await send(message)

        await self._app(scope, receive, mark if scope["type"] == "http" else send)
