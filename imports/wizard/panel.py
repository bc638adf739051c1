"""The contacts that an import made, in the list of contacts."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, Max, Min, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from contacts.admin import panels
from contacts.admin.panels import ContactPanel
from crm.admin.filters import ChoiceFilter
from imports.models import CreatedRange, Import, What
from organisations.middleware import organisation_of

PARAMETER = "imported"


class ImportedFilter(ChoiceFilter):
    """Those that one import created, and that are still there. Only the import in the address can
    be chosen: there may be thousands."""

    title = gettext_lazy("Created by the import")
    parameter_name = PARAMETER

    def options(self) -> list[tuple[str, Any]]:
        organisation = organisation_of(self.request)
        given = self.request.GET.get(PARAMETER, "")
        if organisation is None or not given.isdecimal() or len(given) > 18:
            return []
        runs = Import.objects.for_organisation(organisation).filter(pk=given)
        return [(str(run.pk), str(run)) for run in runs]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        made = CreatedRange.objects.filter(run=self.answer(), what=What.CONTACT)
        ends = made.aggregate(first=Min("first_id"), last=Max("last_id"))
        if ends["first"] is None:
            return rows.none()
        one_of = made.filter(first_id__lte=OuterRef("pk"), last_id__gte=OuterRef("pk"))
        return rows.filter(Exists(one_of), pk__gte=ends["first"], pk__lte=ends["last"])


class ImportsPanel(ContactPanel):
    """The filter by import, where the address names one."""

    name = "imports"
    position = 45

    def filters(self, request: HttpRequest) -> list[Any]:
        return [ImportedFilter] if request.GET.get(PARAMETER) else []


panels.register(ImportsPanel())
