"""Lightspeed: the tills of shops (X-Series, R-Series) and restaurants (K-Series)."""

from integrations.lightspeed.k import KSeries
from integrations.lightspeed.r import RSeries
from integrations.lightspeed.x import XSeries

__all__ = ["KSeries", "RSeries", "XSeries"]
