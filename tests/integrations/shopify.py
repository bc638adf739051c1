"""Bodies as Shopify sends them (integrations.md, chapter 2; values are made up)."""

from __future__ import annotations

from typing import Any

CUSTOMER = 115310627314723954
ORDER = 820982911946154508
REFUND = 890088186047892319


def money(amount: str, currency: str = "USD") -> dict[str, Any]:
    both = {"amount": amount, "currency_code": currency}
    return {"shop_money": both, "presentment_money": both}


def customer(**values: Any) -> dict[str, Any]:
    return {
        "id": CUSTOMER,
        "admin_graphql_api_id": f"gid://shopify/Customer/{CUSTOMER}",
        "created_at": "2021-12-01T19:00:00-05:00",
        "updated_at": "2021-12-31T19:00:00-05:00",
        "first_name": "John",
        "last_name": "Smith",
        "state": "disabled",
        "verified_email": True,
        "email": "john@example.com",
        "phone": None,
        "default_address": {
            "id": 715243470612851245,
            "address1": "123 Elm St.",
            "address2": None,
            "city": "Ottawa",
            "province": "Ontario",
            "zip": "K2H7A8",
            "phone": "123-123-1234",
            "country_code": "CA",
        },
        **values,
    }


def order(**values: Any) -> dict[str, Any]:
    """An order that was paid."""
    return {
        "id": ORDER,
        "admin_graphql_api_id": f"gid://shopify/Order/{ORDER}",
        "cancel_reason": None,
        "cancelled_at": None,
        "created_at": "2021-12-31T19:00:00-05:00",
        "processed_at": "2021-12-31T19:00:00-05:00",
        "updated_at": "2021-12-31T19:00:00-05:00",
        "currency": "USD",
        "contact_email": "jon@example.com",
        "email": "jon@example.com",
        "phone": None,
        "financial_status": "paid",
        "fulfillment_status": None,
        "name": "#9999",
        "order_number": 1234,
        "source_name": "web",
        "tags": "tag1, tag2",
        "test": False,
        "total_outstanding": "0.00",
        "total_price": "404.95",
        "total_price_set": money("404.95"),
        "customer": customer(),
        "line_items": [
            {
                "id": 1,
                "title": "Aviator sunglasses",
                "sku": "SKU-1",
                "price": "89.99",
                "quantity": 1,
            }
        ],
        "refunds": [],
        **values,
    }


def refund(**values: Any) -> dict[str, Any]:
    return {
        "id": REFUND,
        "order_id": ORDER,
        "created_at": "2022-01-02T10:00:00-05:00",
        "processed_at": "2022-01-02T10:00:00-05:00",
        "note": "Things were damaged",
        "refund_line_items": [{"id": 1, "line_item_id": 1, "quantity": 1, "subtotal": 89.99}],
        "transactions": [transaction()],
        **values,
    }


def transaction(**values: Any) -> dict[str, Any]:
    return {
        "id": 245135271310201194,
        "order_id": ORDER,
        "kind": "refund",
        "status": "success",
        "gateway": "bogus",
        "amount": "75.00",
        "currency": "USD",
        "test": False,
        **values,
    }
