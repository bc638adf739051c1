"""Undoing an import: what it created goes, what it changed is as it was, and what was changed since
by anybody else is left alone and named.

`service` goes through the steps, each in batches; a step is one kind of row that went or was
changed. Adding one is adding a line to `service.STEPS`.
"""
