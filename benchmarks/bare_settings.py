"""The settings of the project, with nothing between the server and `bare`'s views."""

from crm.settings import *  # noqa: F403
from crm.settings import REST_FRAMEWORK as _OURS

MIDDLEWARE: list[str] = []
ROOT_URLCONF = "benchmarks.bare"
REST_FRAMEWORK = {name: value for name, value in _OURS.items() if name in ("DEFAULT_SCHEMA_CLASS",)}
