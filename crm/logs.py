"""Logs: one event a line on standard error, without anybody's personal data in them.

Standard output belongs to what a command answers: an export, a new key.

An error's text may quote what it failed on (PostgreSQL names the e-mail address that is there
twice), so every line passes `without_personal_data` on its way out.
"""

from __future__ import annotations

import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_EMAIL = re.compile(r"[\w.+%'-]+@[\w-]+(\.[\w-]+)+")
_PHONE = re.compile(r"\+\d[\d ()-]{6,18}\d")
_DETAIL = re.compile(r"(?m)^(DETAIL: .*?)=\(.*\)")
_SECRET = re.compile(
    r"(?i)(x-api-key|authorization|password|secret|token)"
    r"(['\"]?\s*[:=]\s*)['\"]?((?:basic|bearer)\s+)?[^\s'\",}&]+"
)
_ADDRESS = re.compile(r"((?<!/admin)/integrations/[\w-]+/|/hooks/workflows/)[^\s'\"?/]+")
_KEY = re.compile(r"\b([a-z]{2,4}_)[A-Za-z0-9_-]{24,}")


def scrubbed(text: str) -> str:
    """`text` with e-mail addresses, phone numbers, key values and secrets blotted out."""
    text = _DETAIL.sub(r"\1=(…)", text)
    text = _SECRET.sub(r"\1\2…", text)
    text = _ADDRESS.sub(r"\1…", text)
    text = _KEY.sub(r"\1…", text)
    text = _EMAIL.sub("…@…", text)
    return _PHONE.sub("+…", text)


def without_personal_data(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Scrub every text of an event."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = scrubbed(value)
    return event


def configure(*, level: str, layout: str) -> dict[str, Any]:
    """Set structlog up and answer Django's `LOGGING` for it.

    Both roads, `structlog.get_logger()` and the standard library's loggers that Django and others
    use, end in the same lines; `layout` is `text` or `json`.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if layout == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder(allow=["status_code"])],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    without_personal_data,
                    renderer,
                ],
            }
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "lines",
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers would say it again, and mail it to nobody.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # Whoever scans the internet asks for other names all day long; the answer is 400.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # It tells every address that it calls, and those of webhooks are often secret.
            "httpx2": {"level": "WARNING"},
        },
    }
