"""Structured logs, one JSON object a line (readable ones on a terminal). No payloads, ids of people or keys."""

import logging
import sys
from typing import Any

import structlog

from jornada.observe import trace


def get(name: str) -> Any:
    """Call it with an event name in dotted lower case, and numbers, codes and names of our own as keywords."""
    return structlog.get_logger(name)


def set_up(*, level: str = "INFO", readable: bool | None = None) -> None:
    """Configures logging for the process, libraries included. `readable` defaults to whether stderr is a terminal."""
    readable = sys.stderr.isatty() if readable is None else readable
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_trace,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if readable
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "uvicorn.error", "httpx", "httpcore", "alembic", "mail.log", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _with_trace(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    traceparent = trace.current()
    if traceparent:
        event["trace_id"] = traceparent[3:35]
    return event
