"""What happens to runs, for the apps above that act on it."""

from __future__ import annotations

from django.dispatch import Signal

run_failed = Signal()
"""`run`: a `Run` that just failed. Sent in the transaction that notes it."""
