"""Contacts, tags and referral invites in the admin.

Other apps add their share of a contact's pages through `contacts.admin.panels`.
"""

from contacts.admin import alike, contacts, duplicates, invites, permissions, segments, tags

__all__ = ["alike", "contacts", "duplicates", "invites", "permissions", "segments", "tags"]
