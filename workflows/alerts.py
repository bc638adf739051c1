"""Telling staff what they should look at."""

from __future__ import annotations

import structlog

from organisations.models import Organisation
from workflows.models import Alert

log = structlog.get_logger(__name__)

MAX_TEXT = 2000


def tell(*, organisation: Organisation | int, text: str, link: str = "") -> Alert:
    """Put an alert on the admin's first page of the organisation, in the caller's transaction.

    `link` is a path of the admin that shows more.
    """
    owner = organisation if isinstance(organisation, int) else organisation.pk
    log.warning("alert", organisation=owner, text=text)
    return Alert.objects.create(organisation_id=owner, text=text[:MAX_TEXT], link=link)
