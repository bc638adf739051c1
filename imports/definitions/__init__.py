"""Importing definitions of custom fields."""
