"""The first page: how the organisation does in a period, against the one before."""
