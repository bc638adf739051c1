"""What workflows say: templates, e-mail, SMS, alerts to staff, and the record of all of it."""
