"""Saved views of lists: columns, filters and order under a name."""
