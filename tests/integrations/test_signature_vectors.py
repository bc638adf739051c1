"""The signature vectors of the specification that no source's own test has in it.

Shopify's is in test_inbox_door, Lightspeed's in test_lightspeed_x, Mist's in test_wifi.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from crm import outbound
from tests.integrations.test_inbox_door import VECTOR, VECTOR_SIGNATURE


def test_shopifys_vector_in_hexadecimal() -> None:
    assert base64.b64decode(VECTOR_SIGNATURE).hex() == (
        "06dc9d354c3c6d3faff5a7490ba8632e53ce1fbb063acfd137d1141a077a89fe"
    )
    assert b'"total_price":"404.95"' in VECTOR


def test_what_we_send_is_signed_by_standard_webhooks() -> None:
    body = (
        b'{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z",'
        b'"data":{"id":"1f81eb52-5198-4599-803e-771906343485"}}'
    )

    headers = outbound.signed(
        secret="whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
        message_id="msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        moment=datetime.fromtimestamp(1674087231, UTC),
        body=body,
    )

    assert headers["webhook-signature"] == "v1,YR0kwLVOTYZHq4ZgXGYpi/MoMzVzebep1gSxQXanFMY="
    assert headers["webhook-timestamp"] == "1674087231"
