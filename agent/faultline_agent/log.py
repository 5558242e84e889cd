"""What the agent logs: changes, as short facts; JSON unless on a terminal."""

import sys
from typing import Any, Protocol, TextIO


class Log(Protocol):
    """Takes events with their facts."""

    def info(self, event: str, **facts: Any) -> object:
        """Something changed."""

    def warning(self, event: str, **facts: Any) -> object:
        """Something is worse than it should be."""

    def error(self, event: str, **facts: Any) -> object:
        """Something is broken."""


def open_log(stream: TextIO) -> Log:
    """A log of JSON lines, or of plain ones on a terminal."""
    structlog = _import_structlog()
    shape = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if stream.isatty()
        else structlog.processors.JSONRenderer()
    )
    log: Log = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if stream.isatty() else [structlog.processors.format_exc_info]),
            shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return log


def _import_structlog() -> Any:
    """structlog imports Rich wherever it is installed, 8 MB that an agent has no use for."""
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        if hidden:
            del sys.modules["rich"]
    return structlog
