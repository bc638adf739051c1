"""Possible duplicates in the admin: the likeliest first, compared, merged or dismissed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Max, Min, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts import services
from contacts.admin import comparing
from contacts.admin.contacts import chips
from contacts.duplicates import services as duplicates
from contacts.duplicates.models import CrowdedKey, DuplicateCheck, DuplicatePair, DuplicateScan
from contacts.duplicates.querysets import PairQuerySet
from contacts.models import Contact, Merge
from crm.admin.base import OrganisationAdmin, link
from crm.admin.filters import ChoiceFilter
from crm.admin.forms import Refused
from crm.admin.unfold import display
from crm.errors import Conflict
from organisations.middleware import organisation_of
from organisations.models import Organisation

VERY_LIKELY, LIKELY = 90, 75
MERGES = 50
"""Merges on a page."""
CROWDED = 20
"""Of the keys that were left out, how many are named."""

Status = DuplicatePair.Status


class StateFilter(ChoiceFilter):
    """Always one: by default what is to be decided."""

    title = gettext_lazy("Show")
    parameter_name = "show"

    def options(self) -> list[tuple[str, Any]]:
        return [(Status.DISMISSED, _("Those said not to be the same"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        pairs = cast(PairQuerySet, queryset)
        if self.answer() == Status.DISMISSED:
            return pairs.dismissed()
        return pairs.open()


class LikelihoodFilter(ChoiceFilter):
    title = gettext_lazy("How likely")
    parameter_name = "least"

    def options(self) -> list[tuple[str, Any]]:
        return [(str(VERY_LIKELY), _("Very likely")), (str(LIKELY), _("Likely, or more"))]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(score__gte=int(self.answer()))


@admin.register(DuplicatePair)
class DuplicatePairAdmin(OrganisationAdmin):
    """Pairs that may be one contact. They are found, never added."""

    list_display = ("likelihood", "one", "another", "why")
    list_display_links = ("one", "another")
    list_filter = (StateFilter, LikelihoodFilter)
    list_select_related = ("first", "second")
    list_before_template = "admin/contacts/duplicates/head.html"
    ordering = ("-score", "-id")
    actions = ("dismiss_chosen", "propose_chosen")

    class Media:
        css: ClassVar = {"all": ["regulars/duplicates.css"]}
        js: ClassVar = ["regulars/duplicates.js"]

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[DuplicatePair]:
        # What was dismissed and is part of another by now is not to be seen until that is undone.
        rows = super().get_queryset(request)
        return rows.filter(first__merged_into=None, second__merged_into=None)

    @display(description=gettext_lazy("likelihood"))
    def likelihood(self, obj: DuplicatePair) -> SafeString:
        return likelihood(obj)

    @display(description=gettext_lazy("contact"), header=True)
    def one(self, obj: DuplicatePair) -> list[str]:
        return _in_short(obj.first)

    @display(description=gettext_lazy("may be the same as"), header=True)
    def another(self, obj: DuplicatePair) -> list[str]:
        return _in_short(obj.second)

    @display(description=gettext_lazy("why"))
    def why(self, obj: DuplicatePair) -> SafeString:
        return format_html('<span class="rg-reasons">{}</span>', chips(obj.why))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        organisation = organisation_of(request)
        context: dict[str, Any] = {"may_change": self.has_change_permission(request)}
        if organisation is not None:
            context |= {"shown": request.GET.get("show", ""), **state(organisation)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        dismissed = request.GET.get("show") == Status.DISMISSED
        actions.pop("dismiss_chosen" if dismissed else "propose_chosen", None)
        return actions

    @admin.action(description=gettext_lazy("Not the same"), permissions=["change"])
    def dismiss_chosen(
        self, request: HttpRequest, queryset: QuerySet[DuplicatePair]
    ) -> HttpResponse | None:
        if self.chosen(request, queryset) is not None:
            count = duplicates.dismiss(pairs=_plain(request, queryset), by=_user(request))
            text = ngettext(
                "%(count)s pair is not proposed again.",
                "%(count)s pairs are not proposed again.",
                count,
            )
            messages.success(request, text % {"count": f"{count:,}"})
        return None

    @admin.action(description=gettext_lazy("Propose again"), permissions=["change"])
    def propose_chosen(
        self, request: HttpRequest, queryset: QuerySet[DuplicatePair]
    ) -> HttpResponse | None:
        if self.chosen(request, queryset) is not None:
            count = duplicates.propose_again(pairs=_plain(request, queryset))
            text = ngettext(
                "%(count)s pair is proposed again.", "%(count)s pairs are proposed again.", count
            )
            messages.success(request, text % {"count": f"{count:,}"})
        return None

    # Who may

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a pair is dismissed, so that it is not found again

    def has_merge_permission(self, request: HttpRequest) -> bool:
        # By a method, as in `organisations.admin`.
        return request.user.has_perm("contacts.merge_contact")

    # One pair

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("merged/", wrap(self.merged), name=f"{name}_merged"),
            path("merged/<int:pk>/undo/", wrap(self.undo), name=f"{name}_undo"),
            path("look-again/", wrap(self.look_again), name=f"{name}_look_again"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Both side by side. What is pressed says what becomes of them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        pair: DuplicatePair = self.existing(request, object_id)
        first, second = self._both(request, pair)
        decisions: dict[str, Callable[..., HttpResponse | None]] = {
            "merge": partial(self._merge, first=first, second=second),
            "dismiss": self._dismiss,
            "propose": self._propose,
        }
        if request.method == "POST":
            for name, decide in decisions.items():
                if name in request.POST:
                    done = decide(request, pair)
                    if done is not None:
                        return done
        return self._compare(request, pair, first, second)

    def _both(self, request: HttpRequest, pair: DuplicatePair) -> tuple[Contact, Contact]:
        organisation = cast(Organisation, organisation_of(request))
        contacts = Contact.objects.for_organisation(organisation).select_related("rollup")
        rows = contacts.with_everything().in_bulk([pair.first_id, pair.second_id])
        for row in rows.values():
            row.organisation = organisation
        return rows[pair.first_id], rows[pair.second_id]

    def _compare(
        self, request: HttpRequest, pair: DuplicatePair, first: Contact, second: Contact
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        asked = request.POST.get("stays")
        ids = {str(one.pk): one.pk for one in (first, second)}
        stays = ids.get(asked or "", comparing.likelier(first, second).pk)
        return TemplateResponse(
            request,
            "admin/contacts/duplicates/compare.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Are they the same?"),
                "pair": pair,
                "likelihood": likelihood(pair),
                "sides": comparing.sides(request, first, second),
                "lines": [
                    (line, comparing.cells(line, first, second, request.POST, stays))
                    for line in comparing.lines(first, second)
                ],
                "kept": comparing.kept(first, second),
                "stays": stays,
                "version": comparing.version(first, second),
                "may_merge": self.has_merge_permission(request) and pair.status == Status.OPEN,
                "may_change": self.has_change_permission(request),
                "media": self.media,
                "back": self.url("changelist"),
            },
        )

    def _merge(
        self, request: HttpRequest, pair: DuplicatePair, *, first: Contact, second: Contact
    ) -> HttpResponse | None:
        if not self.has_merge_permission(request):
            raise PermissionDenied
        by_id = {str(one.pk): one for one in (first, second)}
        survivor = by_id.get(request.POST.get("stays", ""))
        if survivor is None or pair.status != Status.OPEN:
            raise Http404
        if request.POST.get("version") != comparing.version(first, second):
            text = _("One of them was changed after you opened this. Look again, then merge.")
            messages.warning(request, text)
            return None
        absorbed = second if survivor is first else first
        theirs = comparing.taken(request.POST, comparing.lines(first, second), absorbed)
        following = self._next(pair)
        try:
            done = services.merge(survivor=survivor, absorbed=absorbed, theirs=theirs)
        except (ValidationError, Conflict) as error:
            self.tell(request, Refused(error))
            return None
        messages.success(
            request,
            format_html(
                '{} <a class="rg-link" href="{}">{}</a>',
                format_html(_("{} is one contact now."), link(survivor)),
                self.url("undo", done.pk),
                _("Undo"),
            ),
        )
        return self._go_on(following)

    def _dismiss(self, request: HttpRequest, pair: DuplicatePair) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        following = self._next(pair)
        duplicates.dismiss(pairs=self._only(pair), by=_user(request))
        messages.success(request, _("They are not proposed again."))
        return self._go_on(following)

    def _propose(self, request: HttpRequest, pair: DuplicatePair) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        duplicates.propose_again(pairs=self._only(pair))
        messages.success(request, _("They are proposed again."))
        return HttpResponseRedirect(self.url("change", pair.pk))

    def _only(self, pair: DuplicatePair) -> PairQuerySet:
        pairs: PairQuerySet = DuplicatePair.objects.for_organisation(pair.organisation_id)
        return pairs.filter(pk=pair.pk)

    def _next(self, pair: DuplicatePair) -> int | None:
        """The pair that comes after this one in the list, and has neither of its contacts."""
        pairs = DuplicatePair.objects.for_organisation(pair.organisation_id).open()
        both = [pair.first_id, pair.second_id]
        later = pairs.filter(score__lte=pair.score).exclude(score=pair.score, pk__gte=pair.pk)
        others = later.exclude(first__in=both).exclude(second__in=both)
        return others.order_by("-score", "-pk").values_list("pk", flat=True).first()

    def _go_on(self, following: int | None) -> HttpResponse:
        """To the next pair, or to the list."""
        where = self.url("changelist") if following is None else self.url("change", following)
        return HttpResponseRedirect(where)

    # Merges, and all of it again

    def merged(self, request: HttpRequest) -> HttpResponse:
        """What was merged, latest first."""
        organisation = organisation_of(request)
        if organisation is None or not self.has_view_permission(request):
            raise PermissionDenied
        before = request.GET.get("before", "")
        merges = Merge.objects.for_organisation(organisation).filter(undone_at=None)
        if before.isdecimal() and len(before) < 19:
            merges = merges.filter(pk__lt=int(before))
        rows = list(
            merges.select_related("survivor", "absorbed").order_by("-created_at", "-id")[
                : MERGES + 1
            ]
        )
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/contacts/duplicates/merged.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Merged"),
                "merges": rows[:MERGES],
                "older": rows[MERGES - 1].pk if len(rows) > MERGES else None,
                "may_merge": self.has_merge_permission(request),
                "media": self.media,
            },
        )

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then take a merge back."""
        organisation = organisation_of(request)
        if organisation is None or not self.has_merge_permission(request):
            raise PermissionDenied
        merges = Merge.objects.for_organisation(organisation).filter(undone_at=None)
        merge = merges.select_related("survivor", "absorbed").filter(pk=pk).first()
        if merge is None:
            raise Http404
        for one in (merge.survivor, merge.absorbed):
            one.organisation = organisation
        back = self.url("merged")
        if not self.confirmed(request):
            return self.ask(
                request,
                title=_("Undo the merge of %(name)s?") % {"name": merge.absorbed},
                notes=[
                    _("It becomes a contact of its own again, with its activities."),
                    _("What %(name)s gained from it goes back, unless it was changed since.")
                    % {"name": merge.survivor},
                    _("If they are still alike, they are proposed again; you can dismiss them."),
                ],
                confirm=_("Undo the merge"),
                back=back,
            )
        try:
            services.unmerge(survivor=merge.survivor, absorbed=merge.absorbed)
        except (ValidationError, Conflict) as error:
            self.tell(request, Refused(error))
        else:
            text = _("%(name)s is a contact of its own again.") % {"name": merge.absorbed}
            messages.success(request, text)
        return HttpResponseRedirect(back)

    def look_again(self, request: HttpRequest) -> HttpResponse:
        """Have all contacts looked through again."""
        organisation = organisation_of(request)
        if organisation is None or not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            raise Http404
        duplicates.look_through_again(organisation=organisation)
        messages.success(request, _("The worker looks through all contacts again."))
        return HttpResponseRedirect(self.url("changelist"))


def likelihood(pair: DuplicatePair) -> SafeString:
    """The score, and what it means."""
    if pair.score >= VERY_LIKELY:
        how, text = "very", _("Very likely")
    elif pair.score >= LIKELY:
        how, text = "likely", _("Likely")
    else:
        how, text = "possible", _("Possible")
    return format_html(
        '<span class="rg-likelihood rg-{}">{} <span>{}</span></span>', how, text, pair.score
    )


def state(organisation: Organisation) -> dict[str, Any]:
    """How far the search is, for the head of the list. Three queries, one more while it goes on."""
    scan = DuplicateScan.objects.for_organisation(organisation).first()
    crowded = list(CrowdedKey.objects.for_organisation(organisation)[: CROWDED + 1])
    checks = DuplicateCheck.objects.for_organisation(organisation)
    return {
        "scan": scan,
        "share": _share(scan) if scan is not None and scan.finished_at is None else None,
        "changed_waiting": checks.exists(),
        "crowded": crowded[:CROWDED],
        "more_crowded": len(crowded) > CROWDED,
    }


def _share(scan: DuplicateScan) -> int | None:
    """How far a scan is, in per cent of the span of ids: about right, and one query. None when
    there are no contacts."""
    contacts = Contact.objects.for_organisation(scan.organisation_id).order_by()
    ends = contacts.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return None
    begin, end = int(ends["first"]), int(ends["last"])
    return max(0, min(99, 100 * (scan.done_up_to - begin + 1) // (end - begin + 1)))


def _in_short(contact: Contact) -> list[str]:
    reached = [one for one in (contact.email_address, contact.phone_number) if one]
    return [str(contact), " · ".join(one for one in reached if one != str(contact))]


def _plain(request: HttpRequest, pairs: QuerySet[DuplicatePair]) -> PairQuerySet:
    """The chosen pairs without joins, which an UPDATE takes not."""
    rows: PairQuerySet = DuplicatePair.objects.for_organisation(
        cast(Organisation, organisation_of(request))
    )
    return rows.filter(pk__in=pairs.order_by().values("pk"))


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)
