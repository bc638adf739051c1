"""Who changed what of a contact, when, from what to what.

`recording` is called by the services, in their transaction; `reading` answers a contact's history
from that and from what others keep anyway: imports and permissions
(docs/decisions/0012-history.md). Putting a value back is a service: `contacts.services.put_back`.
"""
