"""Why a contact is in a segment, or is not: each condition, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.admin.builder import GROUPS
from contacts.models import Contact
from contacts.rules import Finding
from contacts.segments import reading
from contacts.segments.models import Segment
from crm.admin.widgets import Autocomplete
from organisations.middleware import organisation_of
from organisations.models import Organisation

if TYPE_CHECKING:
    from contacts.admin.segments import SegmentAdmin

# Whether the rule holds, whether the contact carries the tag.
VERDICTS = {
    (True, True): gettext_lazy("%(contact)s is in the segment: the rule holds."),
    (False, False): gettext_lazy("%(contact)s is not in the segment: the rule does not hold."),
    (True, False): gettext_lazy(
        "The rule holds for %(contact)s; the tag comes with the next look."
    ),
    (False, True): gettext_lazy(
        "The rule does not hold for %(contact)s any more; the tag goes with the next look."
    ),
}


class CheckForm(forms.Form):
    """Which contact to look at."""

    contact = forms.ModelChoiceField(
        label=gettext_lazy("Contact"),
        queryset=Contact.objects.none(),
        widget=Autocomplete(Contact._meta.get_field("merged_into"), admin.site),
        help_text=gettext_lazy("Type a name, an e-mail address or a phone number."),
    )


@dataclass(frozen=True)
class Line:
    """A condition, or the group in which those below it are."""

    depth: int
    group: str | Promise = ""
    finding: Finding | None = None


def check(screen: SegmentAdmin, request: HttpRequest, segment: Segment) -> HttpResponse:
    """Choose a contact, see how it stands."""
    if not request.user.has_perm("contacts.view_contact"):
        raise PermissionDenied
    organisation = cast(Organisation, organisation_of(request))
    form = CheckForm(request.GET if "contact" in request.GET else None)
    field: Any = form.fields["contact"]
    field.queryset = Contact.objects.for_organisation(organisation).current()
    context: dict[str, Any] = {}
    if form.is_valid():
        contact = form.cleaned_data["contact"]
        contact.organisation = organisation
        context = _standing(segment, contact)
    request.current_app = screen.admin_site.name
    return TemplateResponse(
        request,
        "admin/contacts/check.html",
        {
            **screen.admin_site.each_context(request),
            "opts": screen.opts,
            "original": segment,
            "title": _("Check a contact"),
            "form": form,
            "media": screen.media + form.media,
            "back": screen.url("change", segment.pk),
            **context,
        },
    )


def _standing(segment: Segment, contact: Contact) -> dict[str, Any]:
    rows = Segment.objects.for_organisation(segment.organisation_id).filter(pk=segment.pk)
    (standing,) = reading.standings(contact, among=rows)
    if standing.holds is None:
        verdict = _("The rule cannot be followed at the moment.")
    else:
        verdict = VERDICTS[standing.holds, standing.member] % {"contact": contact}
    return {"contact": contact, "verdict": verdict, "lines": list(lines(standing.clauses))}


def lines(findings: Iterable[Finding]) -> Iterator[Line]:
    """Each condition under the groups that it is in, in the order written."""
    told: set[str] = set()
    for finding in findings:
        places = finding.path.split(".") if finding.path else []
        for depth, kind in enumerate(places[::2]):
            group = ".".join(places[: 2 * depth + 1])
            if group not in told:
                told.add(group)
                yield Line(depth, group=GROUPS[kind])
        yield Line(len(places) // 2, finding=finding)
