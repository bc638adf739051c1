"""Celery, for workers on several machines: `celery -A crm worker` (docs/workers.md).

What is to be done stands in our own tables. A message here only says "look now": one that is lost,
late or doubled costs a second, never the work.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

LOOK_EVERY = 1.0
"""Seconds between two looks at what is due: so long a lost message costs."""
KEEP_HOUSE_EVERY = 10.0
"""Seconds between two looks at which housekeeping is due."""
BROKER_TIMEOUT = 5.0
"""Seconds that a Redis may take to answer; kombu's bound for RabbitMQ is 4."""

if not settings.CELERY_BROKER_URL:
    raise ImproperlyConfigured(
        "CELERY_BROKER_URL is not set: Celery needs a RabbitMQ or a Redis, such as "
        "amqp://user:password@host:5672//. On one machine `manage.py worker` needs neither."
    )

app = Celery("regulars")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    task_default_queue=settings.CELERY_QUEUE,
    task_default_delivery_mode="transient",  # not worth a disk's time
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    timezone="UTC",
    worker_prefetch_multiplier=1,
    # Its queue is locked to the worker of that name: one that connects anew before RabbitMQ has
    # noticed that it was gone, or is of another installation on the machine, would end there.
    worker_enable_remote_control=False,
    # A broker that is away is waited for, for ever; the embedded worker may go on meanwhile.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Nothing to remember between two beats, and no file to write it to.
    beat_scheduler="celery.beat:Scheduler",
    beat_schedule={
        "work": {"task": "workflows.work", "schedule": LOOK_EVERY},
        "keep-house": {"task": "workflows.keep_house", "schedule": KEEP_HOUSE_EVERY},
    },
)
if settings.CELERY_BROKER_URL.startswith("redis"):
    app.conf.broker_transport_options = {
        # Whoever dies over a message loses it. With it a Redis that goes away takes workers along:
        # kombu 5.7 stumbles over messages that it cannot acknowledge any more.
        "ack_emulation": False,
        # By default the client waits for ever.
        "socket_connect_timeout": BROKER_TIMEOUT,
        "socket_timeout": BROKER_TIMEOUT,
    }
app.autodiscover_tasks(["workflows"])


def keep_our_logs(**_kwargs: Any) -> None:
    """Log as everything else does (`crm.logs`): Celery then leaves logging alone. Of a message a
    second nobody wants to read."""
    for name in ("celery.app.trace", "celery.worker.strategy", "celery.beat"):
        logging.getLogger(name).setLevel(logging.WARNING)


def require_tables(**_kwargs: Any) -> None:
    """Do not start on a database that lacks tables."""
    from django.core.management.base import CommandError
    from django.db import connections

    from crm.startup import require_migrated

    try:
        require_migrated()
    except CommandError as error:
        raise SystemExit(f"error: {error}") from None
    finally:
        connections.close_all()  # the processes that are forked now open their own


setup_logging.connect(keep_our_logs)
worker_init.connect(require_tables)
