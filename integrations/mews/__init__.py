"""Mews: reservations and guests of a hotel."""

from integrations.mews.source import Mews

__all__ = ["Mews"]
