"""Shopify: orders, refunds and customers of a shop."""

from integrations.shopify.source import Shopify

__all__ = ["Shopify"]
