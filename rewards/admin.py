"""Credit in the admin: the ledger, a contact's balance, and giving and redeeming by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.crypto import get_random_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextInputWidget,
)

from activities.admin import ByContact
from contacts import timeline
from contacts.admin import panels
from contacts.admin.panels import ContactPanel, Figure
from contacts.models import Contact
from contacts.timeline import Cursor, Entry, TimelineSource
from crm import money
from crm.admin.choices import currencies
from crm.admin.filters import ChoiceFilter, MomentFilter
from crm.admin.forms import Refused
from crm.admin.unfold import action, display
from crm.errors import Conflict
from organisations.middleware import organisation_of
from organisations.models import Organisation
from rewards import services
from rewards.models import CreditEntry

MOST_EXPIRING = 5
FORM_SENT = "admin-"


class CreditForm(forms.Form):
    """Credit that is redeemed, its money as people write it."""

    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        max_digits=18,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("Such as 5.00."),
    )
    currency_code = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=currencies, widget=UnfoldAdminSelect2Widget
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=255,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "amount" in cleaned and "currency_code" in cleaned:
            code = cleaned["currency_code"]
            try:
                cleaned["amount"] = money.to_minor(cleaned["amount"], code)
            except ValueError:
                self.add_error(
                    "amount",
                    _("%(currency)s has %(decimals)s decimals.")
                    % {"currency": code, "decimals": money.exponent(code)},
                )
        return cleaned

    def values(self, organisation: Organisation) -> dict[str, Any]:
        """What the service wants."""
        return dict(self.cleaned_data)


class GiveForm(CreditForm):
    """Credit that is given."""

    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=UnfoldAdminDateWidget,
        help_text=gettext_lazy("On which it can be spent. None: it does not expire."),
    )
    field_order = ("amount", "currency_code", "last_day", "reason")

    def values(self, organisation: Organisation) -> dict[str, Any]:
        values = super().values(organisation)
        last_day = values.pop("last_day")
        if last_day is not None:
            midnight = datetime.combine(last_day, time(), ZoneInfo(organisation.timezone))
            values["expires_at"] = midnight + timedelta(days=1)
        return values


# The form's field for a column that a service refuses.
_FIELDS = {"amount": "amount", "currency_code": "currency_code", "expires_at": "last_day"}


def shown_amount(entry: CreditEntry) -> SafeString:
    """Money on its line."""
    return format_html(
        '<span class="rg-amount">{}</span>', money.show(entry.amount, entry.currency_code)
    )


def author(entry: CreditEntry) -> str:
    """Whose doing it was, in words."""
    if entry.staff is not None:
        return entry.staff.get_full_name() or entry.staff.get_username()
    if entry.key is not None:
        return _("API key %(name)s") % {"name": entry.key.name}
    if entry.run is not None:
        return _("Workflow run %(run)d") % {"run": entry.run}
    return ""


def shown_reference(entry: CreditEntry) -> str:
    """The reference, unless it is what the admin's own form gave to be sent only once."""
    reference = entry.external_reference or ""
    return "" if reference.startswith(FORM_SENT) else reference


class KindFilter(ChoiceFilter):
    title = gettext_lazy("Kind")
    parameter_name = "of_kind"

    def options(self) -> list[tuple[str, Any]]:
        return list(CreditEntry.Kind.choices)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(kind=self.answer())


class WhenFilter(MomentFilter):
    title = gettext_lazy("When")
    parameter_name = "written"
    column = "created_at"


@admin.register(CreditEntry)
class CreditEntryAdmin(ByContact):
    """The ledger, newest first. It is only read: who gives or redeems does so on the contact's
    page."""

    list_display = (
        "created_at",
        "who",
        "kind",
        "shown_amount",
        "expires_at",
        "reason",
        "reference",
        "author",
    )
    list_filter = (KindFilter, WhenFilter)
    ordering = ("-created_at", "-id")
    sortable_by = ("created_at",)
    fields = (
        "who",
        "kind",
        "shown_amount",
        "currency_code",
        "expires_at",
        "reason",
        "reference",
        "redemption",
        "author",
        "created_at",
    )
    readonly_fields = fields
    actions_detail = ("take_back",)

    def for_list(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return super().for_list(rows.select_related("staff", "key"))

    @display(description=gettext_lazy("amount"))
    def shown_amount(self, obj: CreditEntry) -> SafeString:
        return shown_amount(obj)

    @display(description=gettext_lazy("reference"))
    def reference(self, obj: CreditEntry) -> str:
        return shown_reference(obj)

    @display(description=gettext_lazy("by"))
    def author(self, obj: CreditEntry) -> str:
        return author(obj)

    @display(description=gettext_lazy("takes back"))
    def redemption(self, obj: CreditEntry) -> str:
        if obj.reverses_id is None:
            return "—"
        address = self.url("change", obj.reverses_id)
        return format_html('<a class="rg-link" href="{}">#{}</a>', address, obj.reverses_id)

    def referred(self, request: HttpRequest, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return rows.filter(external_reference=text)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # Giving and redeeming

    def get_urls(self) -> list[Any]:
        def screen(name: str, view: Callable[..., HttpResponse]) -> Any:
            route = f"contact/<int:contact>/{name}/"
            wrapped = self.admin_site.admin_view(view)
            return path(route, wrapped, name=f"rewards_creditentry_{name}")

        return [screen("give", self.give), screen("redeem", self.redeem), *super().get_urls()]

    def give(self, request: HttpRequest, contact: int) -> HttpResponse:
        """Ask how much, and give it."""
        return self._ask(
            request,
            contact,
            permission="rewards.grant_credit",
            form_class=GiveForm,
            title=_("Give %(name)s credit"),
            confirm=_("Give"),
            write=services.grant,
            done=_("%(amount)s given."),
        )

    def redeem(self, request: HttpRequest, contact: int) -> HttpResponse:
        """Ask how much, and take it."""
        return self._ask(
            request,
            contact,
            permission="rewards.redeem_credit",
            form_class=CreditForm,
            title=_("Redeem credit of %(name)s"),
            confirm=_("Redeem"),
            write=services.redeem,
            done=_("%(amount)s redeemed."),
        )

    def _ask(
        self,
        request: HttpRequest,
        pk: int,
        *,
        permission: str,
        form_class: type[CreditForm],
        title: str,
        confirm: str,
        write: Callable[..., services.Written],
        done: str,
    ) -> HttpResponse:
        organisation = organisation_of(request)
        if organisation is None or not request.user.has_perm(permission):
            raise Http404
        try:
            contact = Contact.objects.for_organisation(organisation).resolve(pk)
        except Contact.DoesNotExist:
            raise Http404 from None
        contact.organisation = organisation
        confirmed = self.confirmed(request)
        form = form_class(
            request.POST if confirmed else None,
            initial={"currency_code": organisation.currency_code},
        )
        if form.is_valid():
            try:
                entry, _created = write(
                    contact=contact,
                    staff=cast(User, request.user),
                    external_reference=request.POST.get("reference"),
                    **form.values(organisation),
                )
            except ValidationError as error:
                for column, lines in error.message_dict.items():
                    form.add_error(_FIELDS.get(column), lines)
            except Conflict as error:
                form.add_error(None, error.detail)
            else:
                amount = money.show(abs(entry.amount), entry.currency_code)
                messages.success(request, done % {"amount": amount})
                return HttpResponseRedirect(_page_of(contact.pk))
        # A second click on the button, or the page sent again, is the same entry.
        reference = request.POST.get("reference") or f"{FORM_SENT}{get_random_string(22)}"
        return self.ask(
            request,
            title=title % {"name": contact},
            notes=[_("%(amount)s can be spent.") % {"amount": one} for one in spendable(contact)],
            form=form,
            confirm=confirm,
            back=_page_of(contact.pk),
            context={"carried": [("reference", reference)]},
        )

    def has_redeem_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._owns(request, obj) and request.user.has_perm("rewards.redeem_credit")

    @action(description=gettext_lazy("Take back"), permissions=["redeem"], icon="undo")
    def take_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        entry: CreditEntry = self.existing(request, object_id)
        back = self.url("change", entry.pk)
        if entry.kind != CreditEntry.Kind.REDEEM:
            messages.error(request, _("Only a redemption can be taken back."))
            return HttpResponseRedirect(back)
        if not self.confirmed(request):
            amount = money.show(-entry.amount, entry.currency_code)
            return self.ask(
                request,
                title=_("Take this redemption back?"),
                notes=[
                    _("%(amount)s can be spent by %(name)s again.")
                    % {"amount": amount, "name": entry.contact},
                    _("What has expired of it meanwhile expires at once."),
                ],
                confirm=_("Take back"),
                back=back,
                obj=entry,
            )
        try:
            services.reverse(entry=entry, staff=cast(User, request.user))
        except (ValidationError, Conflict) as error:
            self.tell(request, Refused(error))
            return HttpResponseRedirect(back)
        messages.success(request, _("The redemption is taken back."))
        return HttpResponseRedirect(_page_of(entry.contact_id))


def _page_of(contact_id: int) -> str:
    return reverse("admin:contacts_contact_change", args=[contact_id])


def spendable(contact: Contact) -> list[str]:
    """The balances in words; those of nothing only in the organisation's currency."""
    return _shown_balances(services.statement(contact), contact)


def _shown_balances(statement: services.Statement, contact: Contact) -> list[str]:
    own = contact.organisation.currency_code
    balances = statement.balances.items()
    return [money.show(amount, code) for code, amount in balances if amount or code == own]


class Credit(TimelineSource):
    """What a contact was given, spent or lost."""

    kind = "credit"
    label = gettext_lazy("Credit")
    icon = "savings"
    permission = "rewards.view_creditentry"
    position = 5

    def entries(
        self, request: HttpRequest, contact: Contact, before: Cursor | None, limit: int
    ) -> list[Entry]:
        rows = contact.credit_entries.select_related("staff", "key")
        return [
            Entry(
                at=entry.created_at,
                kind=self.kind,
                pk=entry.pk,
                title=_("Credit: %(what)s") % {"what": entry.get_kind_display()},
                url=reverse("admin:rewards_creditentry_change", args=[entry.pk]),
                detail=" · ".join(one for one in (entry.reason, shown_reference(entry)) if one),
                amount=money.show(entry.amount, entry.currency_code),
                by=author(entry),
            )
            for entry in self.below(rows, before, "created_at")[:limit]
        ]


timeline.register(Credit())


class CreditPanel(ContactPanel):
    """What a contact can spend, at the top of the page and beside the timeline."""

    name = "credit"
    position = 15

    def figures(self, request: HttpRequest, contact: Contact) -> Sequence[Figure]:
        statement = self._statement(request, contact)
        if statement is None:
            return ()
        ledger = f"{reverse('admin:rewards_creditentry_changelist')}?contact={contact.pk}"
        amounts = " + ".join(_shown_balances(statement, contact))
        return (Figure(_("Credit"), amounts, url=ledger, about=_("The whole ledger")),)

    def beside(self, request: HttpRequest, contact: Contact) -> SafeString | str:
        statement = self._statement(request, contact)
        if statement is None:
            return ""
        return render_to_string(
            "admin/rewards/credit.html",
            {
                "contact": contact,
                "balances": _shown_balances(statement, contact),
                "expiring": [
                    (money.show(lot.left, lot.currency_code), lot.expires_at)
                    for lot in statement.expiring[:MOST_EXPIRING]
                ],
                "may_give": request.user.has_perm("rewards.grant_credit"),
                "may_redeem": request.user.has_perm("rewards.redeem_credit"),
            },
            request,
        )

    @staticmethod
    def _statement(request: HttpRequest, contact: Contact) -> services.Statement | None:
        """Read once a request; None for whoever may not see it."""
        if not request.user.has_perm("rewards.view_creditentry"):
            return None
        known: services.Statement | None = getattr(request, "credit_statement", None)
        if known is None:
            known = services.statement(contact)
            request.credit_statement = known  # type: ignore[attr-defined]
        return known

    def erased(self, contact: Contact) -> Sequence[str]:
        return [_("Erased: the reasons of credit. Kept: the credit.")]

    def deleted(self, contact: Contact) -> Sequence[str]:
        return [_("Credit is deleted.")]


panels.register(CreditPanel())
