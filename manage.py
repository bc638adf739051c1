#!/usr/bin/env python
"""The command line of Regulars: `python manage.py help` lists what it can do."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from crm import actors
from crm.actors import Actor, Kind


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    if len(sys.argv) > 1:
        actors.enter(Actor(Kind.COMMAND, name=sys.argv[1]))
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A wrong setting is the operator's to mend: a sentence, not a traceback.
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
