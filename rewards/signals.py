"""What happened to credit, for the apps that act on it. Sent inside the service's transaction."""

from __future__ import annotations

from django.dispatch import Signal

credit_granted = Signal()
"""`entry`: a `CreditEntry` that just gave a contact credit."""

credit_redeemed = Signal()
"""`entry`: a `CreditEntry` by which a contact just spent credit; its amount is negative."""

credit_reversed = Signal()
"""`entry`: a `CreditEntry` that just took a redemption (`reverses`) back."""
