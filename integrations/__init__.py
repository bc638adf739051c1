"""Other systems: what they tell us (`inbox`, `sources`), and what we tell them (`outgoing`)."""
