"""What rules may ask of activities: how many and how much (`activities`), and the one that started
it (`activity.type`, `activity.booking.checkIn`, `activity.data.PATH`)."""

from __future__ import annotations

from activities.rules.tallies import Activities
from activities.rules.triggering import DATA, TRIGGERING

VOCABULARIES = (Activities(), TRIGGERING, DATA)

__all__ = ["VOCABULARIES"]
