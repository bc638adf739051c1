"""Webhooks: telling other systems what happened, by signed requests to their addresses.

`receivers` writes a message in the transaction of what happened, `spreading` makes of it a
delivery for each endpoint that wants it, `sending` sends them (docs/webhooks.md).
"""
