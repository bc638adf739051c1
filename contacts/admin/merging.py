"""Merging two contacts in the admin: choose, see what wins, confirm; and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts import services
from contacts.admin.panels import PANELS, Compared
from contacts.models import Contact
from crm import money
from crm.admin.forms import Refused
from crm.admin.widgets import Autocomplete
from crm.errors import Conflict
from organisations.middleware import organisation_of
from organisations.models import Organisation

if TYPE_CHECKING:
    from contacts.admin.contacts import ContactAdmin


class OtherForm(forms.Form):
    """Which contact to merge with."""

    other = forms.ModelChoiceField(
        label=gettext_lazy("The other contact"),
        queryset=Contact.objects.none(),
        widget=Autocomplete(Contact._meta.get_field("merged_into"), admin.site),
        help_text=gettext_lazy("Type a name, an e-mail address or a phone number."),
    )


def merge(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> HttpResponse:
    """Choose the other one, then see what wins, then do it."""
    given = request.GET.get("with", "")
    if not given:
        return _choose(screen, request, contact)
    other = screen.existing(request, given)
    if other.pk == contact.pk:
        messages.error(request, _("A contact cannot be merged with itself."))
        return HttpResponseRedirect(screen.url("merge_with", contact.pk))
    if screen.confirmed(request):
        name = str(other)
        try:
            services.merge(survivor=contact, absorbed=other)
        except (ValidationError, Conflict) as error:
            screen.tell(request, Refused(error))
        else:
            screen.log_change(request, contact, [{"changed": {"fields": [f"merged #{other.pk}"]}}])
            messages.success(request, _("%(name)s is now part of this contact.") % {"name": name})
        return HttpResponseRedirect(screen.url("change", contact.pk))
    for one in (contact, other):
        one.organisation = cast(Organisation, organisation_of(request))
    address = screen.url("merge_with", other.pk)
    return screen.ask(
        request,
        title=_("Merge %(other)s into %(name)s?") % {"other": other, "name": contact},
        confirm=_("Merge"),
        back=screen.url("change", contact.pk),
        obj=contact,
        context={
            "contact": contact,
            "other": other,
            "lines": preview(contact, other),
            "swap": f"{address}?with={contact.pk}",
        },
        template="admin/contacts/merge.html",
    )


def _choose(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> HttpResponse:
    form = OtherForm(request.POST if screen.confirmed(request) else None)
    field: Any = form.fields["other"]
    field.queryset = screen.get_queryset(request).exclude(pk=contact.pk)
    if form.is_valid():
        address = screen.url("merge_with", contact.pk)
        return HttpResponseRedirect(f"{address}?with={form.cleaned_data['other'].pk}")
    return screen.ask(
        request,
        title=_("Merge %(name)s with another contact") % {"name": contact},
        notes=[_("You see what wins before anything is done.")],
        form=form,
        confirm=_("See the result"),
        back=screen.url("change", contact.pk),
        obj=contact,
    )


def preview(survivor: Contact, absorbed: Contact) -> list[Compared]:
    """Field by field: what each has, and what the survivor will have."""
    mine, theirs = _shown(survivor), _shown(absorbed)
    lines = [
        Compared(label, mine[label], theirs[label], mine[label] or theirs[label]) for label in mine
    ]
    lines.append(_both(_("Tags"), _tags(survivor), _tags(absorbed)))
    lines.append(
        _both(
            _("Addresses"),
            [str(address) for address in survivor.addresses.all()],
            [str(address) for address in absorbed.addresses.all()],
        )
    )
    for panel in PANELS:
        lines += panel.compare(survivor, absorbed)
    lines.append(_totals(survivor, absorbed))
    return [line for line in lines if line.survivor or line.absorbed]


def _shown(contact: Contact) -> dict[str, str]:
    return {
        _("Name"): contact.name,
        _("First name"): contact.first_name,
        _("Last name"): contact.last_name,
        _("E-mail"): contact.email_address or "",
        _("Phone"): contact.phone_number or "",
        _("Date of birth"): date_format(contact.dob) if contact.dob else "",
    }


def _tags(contact: Contact) -> list[str]:
    return [tag.name for tag in contact.tags.all()]


def _both(label: str, mine: list[str], theirs: list[str]) -> Compared:
    every = [*mine, *(one for one in theirs if one not in mine)]
    return Compared(label, "; ".join(mine), "; ".join(theirs), "; ".join(every))


def _totals(survivor: Contact, absorbed: Contact) -> Compared:
    def shown(*contacts: Contact) -> str:
        spend = {survivor.organisation.currency_code: 0}
        orders = 0
        for contact in contacts:
            orders += contact.rollup.total_orders
            for currency, amount in _spend(contact).items():
                spend[currency] = spend.get(currency, 0) + amount
        amounts = " + ".join(money.show(amount, currency) for currency, amount in spend.items())
        told = ngettext("%(amounts)s, %(orders)s order", "%(amounts)s, %(orders)s orders", orders)
        return told % {"amounts": amounts, "orders": f"{orders:,}"}

    result = shown(survivor, absorbed)
    return Compared(_("Activities and totals"), shown(survivor), shown(absorbed), result)


def _spend(contact: Contact) -> dict[str, int]:
    own = {contact.organisation.currency_code: contact.rollup.total_spend}
    foreign = contact.foreign_spend.order_by("currency_code")
    return own | {one.currency_code: one.amount for one in foreign if one.amount}


def unmerge(
    screen: ContactAdmin, request: HttpRequest, contact: Contact, absorbed_id: int
) -> HttpResponse:
    """Ask, then bring the absorbed contact back."""
    back = screen.url("change", contact.pk)
    contacts = Contact.objects.for_organisation(contact.organisation_id)
    absorbed = contacts.filter(pk=absorbed_id, merged_into=contact).first()
    if absorbed is None:
        raise Http404
    if not screen.confirmed(request):
        return screen.ask(
            request,
            title=_("Undo the merge of %(name)s?") % {"name": absorbed},
            notes=[
                _("It becomes a contact of its own again, with its activities and identifiers."),
                _("What this contact had gained from it goes back, unless it was changed since."),
            ],
            confirm=_("Undo the merge"),
            back=back,
            obj=contact,
        )
    try:
        with transaction.atomic():
            services.unmerge(survivor=contact, absorbed=absorbed)
    except (ValidationError, Conflict) as error:
        screen.tell(request, Refused(error))
        return HttpResponseRedirect(back)
    screen.log_change(request, contact, [{"changed": {"fields": [f"unmerged #{absorbed.pk}"]}}])
    messages.success(request, _("%(name)s is a contact of its own again.") % {"name": absorbed})
    return HttpResponseRedirect(screen.url("change", absorbed.pk))
