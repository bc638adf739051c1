"""Who may enter a workflow again, and entering it: the only place that makes runs.

A policy counts the runs of one workflow, one contact and one `key`:

- `every_time`: no bounds; with a key, once for each value of it;
- `once`: never again, whatever became of the first;
- `once_per` with a `duration`: not while the last began less than that ago;
- `one_at_a_time`: not while one is unfinished.

The contacts are locked while that is looked up, so two workers cannot both find nothing; the unique
`Run.entry` says the same to the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from activities.models import Activity
from contacts.models import Contact
from crm.errors import Conflict
from organisations.models import Organisation
from workflows import checks, values
from workflows.causes import MAX_DEPTH
from workflows.dates import zone_of
from workflows.models import Run, Workflow, WorkflowVersion

POLICIES = ("every_time", "once", "once_per", "one_at_a_time")
MAX_KEY = 255
NOW = "now:"
"""How the entry of a run begins that ends with the run."""


@dataclass(frozen=True)
class Candidate:
    """A run that may begin. `cause` is the id of the run that set it off, if one did."""

    workflow: Workflow
    version: WorkflowVersion
    contact: Contact
    activity: Activity | None = None
    trigger_data: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 1
    cause: int | None = None

    @property
    def reentry(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.version.trigger.get("reentry") or {}
        return found

    @property
    def policy(self) -> str:
        return str(self.reentry.get("policy") or "every_time")

    def key(self) -> str:
        """The value of the policy's key, as text; empty without a key and for one that is not
        there."""
        path = self.reentry.get("key")
        return key_of(path, self) if path else ""


def current_version(workflow: Workflow) -> WorkflowVersion:
    """The version that new runs begin with. One query."""
    return workflow.versions.get(number=workflow.version)


def current_versions(workflows: Iterable[Workflow]) -> dict[int, WorkflowVersion]:
    """The current version of each workflow, by its id. One query."""
    versions = WorkflowVersion.objects.across_organisations().filter(
        workflow__in=[workflow.pk for workflow in workflows], number=F("workflow__version")
    )
    return {version.workflow_id: version for version in versions}


def enter(candidates: Sequence[Candidate], now: datetime) -> list[Run | None]:
    """Begin a run for each candidate whose policy allows it, in their order; None for the others.

    One insert for every_time; with another policy the contacts are locked and their runs looked
    up: two queries more.
    """
    with transaction.atomic(savepoint=False):
        keys = [candidate.key()[:MAX_KEY] for candidate in candidates]
        bound = [
            index
            for index, candidate in enumerate(candidates)
            if candidate.policy != "every_time" or keys[index]
        ]
        past = _past([candidates[index] for index in bound]) if bound else {}
        runs: list[Run | None] = []
        for candidate, key in zip(candidates, keys, strict=True):
            place = (candidate.workflow.pk, candidate.contact.pk, key)
            if not _allowed(candidate, key, past.get(place, ()), now):
                runs.append(None)
                continue
            run = _new(candidate, key, now)
            runs.append(run)
            past.setdefault(place, []).append(run)
        Run.objects.bulk_create([run for run in runs if run is not None], batch_size=500)
        return runs


def come_back(run: Run) -> str | None:
    """The `entry` of a run that had ended and goes on again, in the caller's transaction.

    Raises Conflict while another run is on its way that it may not stand beside. Two queries more
    for one_at_a_time.
    """
    candidate = Candidate(workflow=run.workflow, version=run.version, contact=run.contact)
    if candidate.policy != "one_at_a_time":
        return run.entry
    past = _past([candidate]).get((run.workflow_id, run.contact_id, run.key), ())
    for other in past:
        if other.status in Run.UNFINISHED:
            raise Conflict(
                _(
                    "Run %(id)d of this contact is on its way, and the workflow's re-entry policy"
                    " lets one go at a time. Cancel that one, or wait until it has ended."
                )
                % {"id": other.pk},
                ids=[other.pk],
            )
    return entry_of(candidate.policy, run.key)


def _past(candidates: Sequence[Candidate]) -> dict[tuple[int, int, str], list[Run]]:
    """The earlier runs that policies ask about; their contacts are locked, in the order of ids."""
    contacts = sorted({candidate.contact.pk for candidate in candidates})
    locked = Contact.objects.across_organisations().filter(pk__in=contacts).order_by("pk")
    list(locked.select_for_update(no_key=True).values_list("pk"))
    runs = (
        Run.objects.across_organisations()
        .filter(contact__in=contacts, workflow__in={one.workflow.pk for one in candidates})
        .only("workflow_id", "contact_id", "key", "status", "created_at")
    )
    found: dict[tuple[int, int, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run.workflow_id, run.contact_id, run.key), []).append(run)
    return found


def _allowed(candidate: Candidate, key: str, past: Iterable[Run], now: datetime) -> bool:
    policy = candidate.policy
    if policy == "one_at_a_time":
        return all(run.status not in Run.UNFINISHED for run in past)
    if policy == "once_per":
        zone = zone_of(candidate.workflow.organisation, candidate.contact)
        earliest = checks.duration(candidate.reentry["duration"]).before(now, zone)
        return all(run.created_at <= earliest for run in past)
    if policy == "once" or key:
        return not list(past)
    return True


def _new(candidate: Candidate, key: str, now: datetime) -> Run:
    return Run(
        organisation_id=candidate.workflow.organisation_id,
        workflow=candidate.workflow,
        version=candidate.version,
        contact=candidate.contact,
        activity_id=candidate.activity.pk if candidate.activity is not None else None,
        position="steps.0" if candidate.version.steps else "",
        trigger_data=values.as_json(candidate.trigger_data),
        key=key,
        entry=entry_of(candidate.policy, key),
        depth=candidate.depth,
        cause_id=candidate.cause,
        due_at=now,
        created_at=now,
    )


def entry_of(policy: str, key: str) -> str | None:
    """What no two runs of a workflow and contact may have at once."""
    told = hashlib.blake2b(key.encode(), digest_size=16).hexdigest() if key else ""
    if policy == "one_at_a_time":
        return f"{NOW}{told}"
    if policy == "once" or (policy == "every_time" and key):
        return f"once:{told}"
    return None


def key_of(path: str, candidate: Candidate) -> str:
    """The value at `path`: of the activity, of the contact (`contact.id`), or of what the trigger
    said (`trigger.booking`)."""
    head, _dot, rest = path.partition(".")
    here: Any = None
    if head == "activity" and candidate.activity is not None:
        here = values.activity_values(candidate.activity)
    elif head == "trigger":
        here = candidate.trigger_data
    elif head == "contact":
        here = {"id": candidate.contact.pk}
    for word in rest.split("."):
        here = here.get(word) if isinstance(here, Mapping) else None
    if here is None:
        return ""
    return here if isinstance(here, str) else str(values.as_json({"key": here})["key"])


def check(data: Any, organisation: Organisation, about: Sequence[str]) -> None:
    """Check the JSON of a policy. Raises ValidationError with a dict of paths."""
    errors = checks.Errors()
    if not isinstance(data, dict):
        raise checks.error(_("Give an object such as %(example)s."), example='{"policy": "once"}')
    checks.unknown_keys(data, {"policy", "duration", "key"}, errors)
    with errors.at("policy"):
        checks.choice(data.get("policy"), POLICIES)
    if data.get("policy") == "once_per":
        with errors.at("duration"):
            checks.duration(data.get("duration"))
    elif data.get("duration") is not None:
        errors["duration"] = checks.error(_("Only once_per has a duration."))
    if data.get("key") is not None:
        with errors.at("key"):
            _check_key(data["key"], organisation, about)
    errors.raise_if_any()


def _check_key(given: Any, organisation: Organisation, about: Sequence[str]) -> None:
    path = checks.text(given)
    heads = [head for head in ("activity", "trigger", "contact") if head in (*about, "trigger")]
    head, _dot, rest = path.partition(".")
    if head not in heads or not rest:
        raise checks.error(
            _("Name a value of %(heads)s, such as %(example)s."),
            "unknown_field",
            heads=", ".join(heads),
            example="activity.booking.id" if "activity" in about else "trigger.id",
        )
    if head == "contact" and rest != "id":
        raise checks.error(_("Of the contact, only its id can be a key."), "unknown_field")
    if head == "activity":
        from workflows.messages import variables

        here: Any = variables.known(organisation, about)["activity"]
        for word in rest.split("."):
            here = here.get(word) if isinstance(here, Mapping) else None
            if here is variables.Kind.ANYTHING:
                return
            if here is None:
                raise checks.error(
                    _("An activity has no %(path)s."), "unknown_field", path=rest[:80]
                )


def too_deep(workflow: Workflow) -> str:
    """Why a chain of workflows ends here."""
    return _(
        "%(workflow)s was not started: workflows have set one another off %(depth)d times in a row,"
        " and a chain ends there. Look for a loop."
    ) % {"workflow": workflow.name, "depth": MAX_DEPTH}
