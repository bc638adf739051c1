"""My work: what I have to do, where I am named, what needs a look, what I gave to others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from contacts.admin import composing
from contacts.admin.panels import Composer
from crm.admin.navigation import UNDER_HOME
from crm.admin.site import PAGES
from desk import colleagues, services
from desk.admin import tasks
from desk.admin.notes import called, writer
from desk.models import Mention, Task
from organisations.middleware import organisation_of
from organisations.models import Organisation
from workflows import alerts
from workflows.models import Alert

MOST_TASKS = 100
MOST_GIVEN = 30
MOST_UNREAD = 50
LATEST_READ = 10
MOST_ALERTS = 20
COUNTED = 100
"""The badge counts this far."""


class Group(NamedTuple):
    """Some of the tasks, under a heading."""

    key: str
    title: str
    lines: list[Any]


@require_GET
def work(request: HttpRequest) -> HttpResponse:
    """The page; to the script only what changes on it."""
    organisation = _organisation(request)
    parts = _parts(request, organisation)
    if composing.is_live(request):
        return render(request, "admin/desk/work_parts.html", parts)
    return render(
        request,
        "admin/desk/work.html",
        {
            **admin.site.each_context(request),
            **parts,
            "title": _("My work"),
            "composers": _composers(request),
            "live_url": reverse("admin:desk_work"),
        },
    )


def _organisation(request: HttpRequest) -> Organisation:
    organisation = organisation_of(request)
    if organisation is None or not request.user.has_perm("desk.view_task"):
        raise PermissionDenied
    return organisation


def _composers(request: HttpRequest) -> Sequence[Composer]:
    if not request.user.has_perm("desk.add_task"):
        return ()
    return (
        Composer(
            name="task",
            label=_("Task"),
            icon="task_alt",
            form=tasks.QuickTask(request),
            url=reverse("admin:desk_task_note"),
            submit=_("Add the task"),
            more=(_("About a contact"), f"{reverse('admin:desk_task_add')}?back=work"),
        ),
    )


def _parts(request: HttpRequest, organisation: Organisation) -> dict[str, Any]:
    """One query for each part; two for mentions."""
    return {
        **_my_tasks(request, organisation),
        **_given(request, organisation),
        **_mentions(request, organisation),
        **_alerts(request, organisation),
    }


# Tasks.


def _read(organisation: Organisation, rows: Any, most: int) -> list[Task]:
    shown = rows.select_related("contact", "assignee", "author")
    found = list(shown.soonest_first()[: most + 1])
    for task in found:
        task.organisation = organisation
    return found


def _my_tasks(request: HttpRequest, organisation: Organisation) -> dict[str, Any]:
    mine = Task.objects.for_organisation(organisation).unfinished().of(writer(request))
    found = _read(organisation, mine, MOST_TASKS)
    today = timezone.localdate()
    headings: list[tuple[str, str, Callable[[Task], bool]]] = [
        ("overdue", _("Overdue"), tasks.is_overdue),
        ("today", _("Today"), lambda task: task.due_on == today),
        ("coming", _("Coming"), lambda task: task.due_on is not None),
        ("whenever", _("Whenever there is time"), lambda task: True),
    ]
    groups = {key: Group(key, title, []) for key, title, _fits in headings}
    for task in found[:MOST_TASKS]:
        key = next(key for key, _title, fits in headings if fits(task))
        groups[key].lines.append(tasks.shown(request, task, with_contact=True))
    return {
        "groups": [group for group in groups.values() if group.lines],
        "more_tasks": len(found) > MOST_TASKS,
        "my_tasks_url": _list(whose=request.user.pk, state="open"),
    }


def _given(request: HttpRequest, organisation: Organisation) -> dict[str, Any]:
    others = Task.objects.for_organisation(organisation).unfinished().given_by(writer(request))
    found = _read(organisation, others, MOST_GIVEN)
    return {
        "given": [tasks.shown(request, task, with_contact=True) for task in found[:MOST_GIVEN]],
        "more_given": len(found) > MOST_GIVEN,
        "tasks_url": _list(state="open"),
    }


def _list(**query: Any) -> str:
    parameters = "&".join(f"{name}={value}" for name, value in query.items())
    return f"{reverse('admin:desk_task_changelist')}?{parameters}"


# Notes that name me.


def _mentions(request: HttpRequest, organisation: Organisation) -> dict[str, Any]:
    if not request.user.has_perm("desk.view_note"):
        return {"mentions": None}
    mine = Mention.objects.for_organisation(organisation).of(writer(request))
    rows = mine.select_related("note__contact", "note__author").order_by("-created_at", "-pk")
    unread = list(rows.unread()[:MOST_UNREAD])
    found = [*unread, *rows.read()[:LATEST_READ]]
    me = [writer(request)]
    return {
        "mentions": [
            {
                "mention": mention,
                "note": mention.note,
                "text": colleagues.as_html(_short(mention.note.text), me),
                "author": called(mention.note.author),
            }
            for mention in found
        ],
        "unread": len(unread),
    }


def _short(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:299]}…"


@require_POST
def read(request: HttpRequest, object_id: int | None = None) -> HttpResponse:
    """Note that I have read it (`read` is "yes") or have not; without an id, that I have read all
    that are unread."""
    organisation = _organisation(request)
    mine = Mention.objects.for_organisation(organisation).of(writer(request))
    wanted = object_id is None or request.POST.get("read") == "yes"
    if object_id is None:
        chosen = list(mine.unread())
    else:
        chosen = list(mine.filter(pk=object_id)) if object_id < 2**63 else []
        if not chosen:
            raise Http404

    def write(_form: Mapping[str, Any]) -> str:
        services.read_mentions(mentions=chosen, read=wanted)
        return _("Read.") if wanted else _("Not read yet.")

    return composing.answer(request, back=reverse("admin:desk_work"), write=write)


# What needs a look.


def _alerts(request: HttpRequest, organisation: Organisation) -> dict[str, Any]:
    if not request.user.has_perm("workflows.view_alert"):
        return {"alerts": None}
    unseen = Alert.objects.for_organisation(organisation).filter(seen_at=None)
    found = list(unseen.select_related("contact").order_by("-created_at", "-pk")[: MOST_ALERTS + 1])
    return {
        "alerts": found[:MOST_ALERTS],
        "more_alerts": len(found) > MOST_ALERTS,
        "may_mark": request.user.has_perm("workflows.change_alert"),
    }


@require_POST
def mark(request: HttpRequest, object_id: int) -> HttpResponse:
    """Note that somebody has dealt with an alert."""
    organisation = organisation_of(request)
    if organisation is None or object_id >= 2**63:
        raise Http404
    if not request.user.has_perm("workflows.change_alert"):
        raise PermissionDenied
    found: QuerySet[Alert] = Alert.objects.for_organisation(organisation).filter(pk=object_id)
    alert = found.first()
    if alert is None:
        raise Http404

    def write(_form: Mapping[str, Any]) -> str:
        alerts.mark_seen(alerts=[alert], by=writer(request))
        return _("Done.")

    return composing.answer(request, back=reverse("admin:desk_work"), write=write)


PAGES.append(
    lambda site: [
        path("work/", site.admin_view(work), name="desk_work"),
        path("work/mentions/", site.admin_view(read), name="desk_mentions_read"),
        path("work/mentions/<int:object_id>/", site.admin_view(read), name="desk_mention_read"),
        path("work/alerts/<int:object_id>/", site.admin_view(mark), name="desk_alert_seen"),
    ]
)


# The menu.


def entry(request: HttpRequest) -> dict[str, Any] | None:
    """Under Home, with how many of my tasks are due. One query."""
    organisation = organisation_of(request)
    if organisation is None or not request.user.has_perm("desk.view_task"):
        return None
    number = _due(organisation, writer(request))
    told: dict[str, Any] = {
        "title": gettext_lazy("My work"),
        "icon": "task_alt",
        "link": reverse("admin:desk_work"),
    }
    if number:
        shown = f"{COUNTED - 1}+" if number >= COUNTED else str(number)
        told |= {"badge": "desk.admin.work.badge", "badge_variant": "primary"}
        request.due_tasks = shown  # type: ignore[attr-defined]
    return told


def badge(request: HttpRequest) -> str:
    """How many of my tasks are due, as the menu found."""
    return str(getattr(request, "due_tasks", ""))


def _due(organisation: Organisation, user: User) -> int:
    mine = Task.objects.for_organisation(organisation).unfinished().of(user)
    return len(mine.due_by(timezone.localdate()).order_by().values_list("pk")[:COUNTED])


UNDER_HOME.append(entry)
