"""Exports: contacts and activities as files that the imports take back."""
