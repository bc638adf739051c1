"""Importing contacts: reading their columns, finding who they are, writing them in batches.

A row takes one of three ways, and all three follow the rules of `contacts.services`:

- plainly fine, which most are: the column readers were certain of every cell, and the row is
  matched and compared in memory (`book`);
- with care: the services' own functions read and check the row, still in memory;
- by the service itself: a row of contacts that were merged, whose identifiers may move.
"""
