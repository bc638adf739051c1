"""Which column of a file is which field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from contacts.identity import fold
from imports.files.source import Unusable

IGNORE = ""
"""The target of a column that is left out."""

ERROR_COLUMNS = ("error_line", "error_field", "error_reason")
"""What an errors file has before the original columns; ignored when it is imported again."""


def plain(header: str) -> str:
    """A header without case, accents, spaces and signs, as they are compared."""
    return "".join(letter for letter in fold(header) if letter.isalnum())


@dataclass(slots=True)
class Vocabulary:
    """The words for the fields that a file may have.

    A target is the field's path in the terms of the models (`email_address`, `addresses.0.city`,
    `custom_fields.diet`). Own names (`exact`) go before custom fields (`custom`), these before
    the usual synonyms: a custom field called "Mobile" is meant by a column "Mobile".
    """

    exact: Mapping[str, str]
    synonyms: Mapping[str, str]
    custom: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    """Custom fields by their path to the letter: `diet_1` and `diet1` are two of them."""
    read_only: dict[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    """Paths whose rest is free, such as `data.`, and the target's own beginning."""

    def find(self, header: str) -> str | None:
        """The target of this header, or None."""
        for beginning, target in self.prefixes.items():
            rest = header[len(beginning) :]
            if header.lower().startswith(beginning.lower()) and rest:
                return target + rest
        if header in self.paths:
            return self.paths[header]
        word = plain(header)
        return self.exact.get(word) or self.custom.get(word) or self.synonyms.get(word)

    def hint(self, header: str) -> str | None:
        """Why a column of this name cannot be imported, or None."""
        return self.read_only.get(plain(header))


def words(**targets: str) -> dict[str, str]:
    """Synonyms as they are compared: `email_address="E-mail, Mail"` gives the word of each."""
    return {
        plain(word): target.replace("__", ".")
        for target, listed in targets.items()
        for word in listed.split(",")
    }


def add_custom_fields(vocabulary: Vocabulary, fields: Iterable[tuple[str, str]]) -> None:
    """Let columns be called by a custom field's name or label; `fields` are pairs of these."""
    for name, label in fields:
        target = f"custom_fields.{name}"
        for word in (label, name, f"customFields.{name}", f"customField.{name}"):
            vocabulary.custom[plain(word)] = target
        vocabulary.paths[f"customFields.{name}"] = target


def read_map(given: Sequence[str]) -> dict[str, str]:
    """The `--map "Header=field"` options, field "" or "-" meaning that the column is left out."""
    mapping: dict[str, str] = {}
    for option in given:
        header, sign, name = option.rpartition("=")
        if not sign or not header.strip():
            raise Unusable(f'--map "{option}" has no "=": write --map "Header=field".')
        mapping[header.strip()] = name.strip()
    return mapping


@dataclass(slots=True)
class Matched:
    """The target of each header, and the headers that no field is known for."""

    targets: dict[str, str]
    unknown: list[str]


def match(headers: Sequence[str], vocabulary: Vocabulary, given: Mapping[str, str]) -> Matched:
    """Find the target of each header. Raises Unusable for a contradiction."""
    for header in given:
        if header not in headers:
            raise Unusable(
                f'--map names a column "{header}" that the file does not have; '
                f"it has {quoted(headers)}."
            )
    targets: dict[str, str] = {}
    unknown: list[str] = []
    for header in headers:
        if header in given:
            targets[header] = _given_target(header, given[header], vocabulary)
            continue
        if header in ERROR_COLUMNS:
            targets[header] = IGNORE
            continue
        hint = vocabulary.hint(header)
        target = vocabulary.find(header)
        if target is None and hint is not None:
            raise Unusable(
                f'The column "{header}" cannot be imported: {hint} '
                f'Leave it out with --map "{header}=".'
            )
        if target is None:
            unknown.append(header)
        else:
            targets[header] = target
    _refuse_doubles(targets)
    return Matched(targets, unknown)


def _given_target(header: str, name: str, vocabulary: Vocabulary) -> str:
    if name in {"", "-"}:
        return IGNORE
    target = vocabulary.find(name)
    if target is not None:
        return target
    hint = vocabulary.hint(name)
    if hint is not None:
        raise Unusable(f'--map "{header}={name}": {hint}')
    raise Unusable(
        f'--map "{header}={name}": there is no field "{name}"; '
        "give a field's name as in the API, or a custom field's name or label."
    )


def _refuse_doubles(targets: Mapping[str, str]) -> None:
    first: dict[str, str] = {}
    for header, target in targets.items():
        if target == IGNORE:
            continue
        if target in first:
            raise Unusable(
                f'The columns "{first[target]}" and "{header}" are both {target}: '
                f'leave one out with --map "{header}=" or give it another field with '
                f'--map "{header}=field".'
            )
        first[target] = header


def refuse_unknown(unknown: Sequence[str], ways_out: str) -> None:
    """Raise Unusable that names the columns nobody knows, and says what can be done."""
    if unknown:
        raise Unusable(
            (
                f"The column {quoted(unknown)} is not known."
                if len(unknown) == 1
                else f"The columns {quoted(unknown)} are not known."
            )
            + f" {ways_out}"
        )


def quoted(headers: Iterable[str]) -> str:
    """Headers in a sentence."""
    return ", ".join(f'"{header}"' for header in headers)


_ADDRESS_PARTS = ("type", "line1", "line2", "city", "county", "postcode", "country")
MAX_ADDRESSES = 20

_CONTACT_EXACT = {
    "id": "id",
    **words(
        email_address="emailAddress, email_address",
        phone_number="phoneNumber",
        phone_number_country_code="phoneNumberCountryCode",
        first_name="firstName",
        last_name="lastName",
        name="name",
        kind="kind",
        dob="dob, date of birth",
        timezone="timezone, time zone",
        tags="tags",
        addresses="addresses",
    ),
    **{
        plain(f"address{number or ''}.{part}"): f"addresses.{max(number - 1, 0)}.{part}"
        for number in range(MAX_ADDRESSES + 1)
        if number != 1
        for part in _ADDRESS_PARTS
        # "address2" + "line1" must not be taken for "address" + "2line1".
    },
}
_CONTACT_SYNONYMS = {
    **words(
        email_address="Email, E-mail, Mail, E-mail 1, Email 1, E-mail 1 - Value, Primary email, "
        "Contact email, Customer email, Guest email, Email ID, Courriel, Adresse e-mail, "
        "E-Mail-Adresse, Mailadresse, Correo, Correo electrónico, E-mailadres, Posta elettronica, "
        "Indirizzo e-mail, Endereço de e-mail",
        phone_number="Phone, Mobile, Mobile number, Mobile phone, Mobile no, Cell, Cell phone, "
        "Cellphone, Cell number, Telephone, Telephone number, Tel, Tel no, Phone no, Phone 1, "
        "Phone 1 - Value, Primary phone, Contact number, Contact phone, Customer phone, "
        "Guest phone, Téléphone, Portable, Numéro de téléphone, Tél, Mobile/Portable, "
        "Telefon, Telefonnummer, Rufnummer, Handy, Handynummer, Mobil, Mobiltelefon, Mobilnummer, "
        "Teléfono, Móvil, Telefoon, Telefoonnummer, Mobiel, Telefono, Cellulare, Telefone, "
        "Telemóvel, Celular",
        phone_number_country_code="Calling code, Phone country code, Phone country, Dial code, "
        "Dialling code, Dialing code, Phone prefix, Phone code",
        first_name="First, Forename, Given name, Christian name, FName, Prénom, Guest first name, "
        "Customer first name, Vorname, Rufname, Voornaam, Nombre, Primeiro nome, Nome di battesimo",
        last_name="Last, Surname, Family name, LName, Second name, Nom de famille, "
        "Guest last name, Customer last name, Nachname, Familienname, Zuname, Achternaam, "
        "Apellido, Apellidos, Cognome, Sobrenome, Apelido",
        name="Full name, Contact, Contact name, Customer name, Guest name, Display name, "
        "Business name, Nom complet, Vollständiger Name, Kundenname, Nombre completo, "
        "Volledige naam, Nome completo",
        dob="Birthday, Birth date, Born, Date de naissance, Geburtsdatum, Geburtstag, "
        "Fecha de nacimiento, Geboortedatum, Data di nascita, Data de nascimento",
        timezone="TZ, Fuseau horaire, Zeitzone, Zona horaria, Tijdzone, Fuso orario",
        kind="Contact kind, Contact type",
        tags="Tag, Labels, Étiquettes, Schlagwörter, Etiketten, Etiquetas, Etichette",
        id="Contact ID",
        addresses__0__type="Address type",
        addresses__0__line1="Address, Address 1, Address line 1, Line 1, Street, Street address, "
        "Street 1, Adresse, Address street, Straße, Strasse, Anschrift, Dirección, Calle, "
        "Adres, Straat, Indirizzo, Via, Endereço, Rua",
        addresses__0__line2="Address 2, Address line 2, Line 2, Street 2, Apartment, Suite",
        addresses__0__city="City, Town, Town/City, Locality, Ville, Stadt, Ort, Wohnort, Ciudad, "
        "Plaats, Woonplaats, Città, Cidade",
        addresses__0__county="County, State, Province, State/Province, Region, State/Region, "
        "Bundesland, Kanton, Provincia, Provincie, Département",
        addresses__0__postcode="Postcode, Post code, Zip, Zip code, Postal code, ZIP/Postal code, "
        "Code postal, PLZ, Postleitzahl, Código postal, CAP",
        addresses__0__country="Country, Country code, Country/Region, Pays, Land, País, Paese",
    ),
}


def _read_only(reason: str, listed: str) -> dict[str, str]:
    return {plain(word): reason for word in listed.split(",")}


def contact_vocabulary() -> Vocabulary:
    """The words for what a contact has, without custom fields."""
    from_activities = _(
        "it is {field}, which is worked out from the contact's activities and is read-only. "
        "Import the activities themselves."
    )
    kept = _("it is {field}, which is kept by the system and is read-only.")
    return Vocabulary(
        exact=_CONTACT_EXACT,
        synonyms=_CONTACT_SYNONYMS,
        read_only={
            **_read_only(
                from_activities.format(field="totalSpend"),
                "totalSpend, Total spent, Lifetime value, LTV, CLV, Customer lifetime value, "
                "Amount spent, Spend, Spent, Total revenue",
            ),
            **_read_only(from_activities.format(field="spendByCurrency"), "spendByCurrency"),
            **_read_only(
                from_activities.format(field="totalOrders"),
                "totalOrders, Orders, Order count, Orders count, Number of orders, No of orders",
            ),
            **_read_only(
                from_activities.format(field="lastInteractedAt"),
                "lastInteractedAt, Last interaction, Last interacted, Last seen, Last activity",
            ),
            **_read_only(from_activities.format(field="recency"), "recency"),
            **_read_only(from_activities.format(field="frequency"), "frequency"),
            **_read_only(from_activities.format(field="monetary"), "monetary"),
            **_read_only(kept.format(field="createdAt"), "createdAt, Created, Created on"),
            **_read_only(kept.format(field="updatedAt"), "updatedAt, Updated, Last modified"),
            **_read_only(kept.format(field="phoneNumberE164"), "phoneNumberE164"),
            **_read_only(kept.format(field="redactedAt"), "redactedAt"),
            **_read_only(kept.format(field="organisation"), "organisation"),
            **_read_only(kept.format(field="referralInvites"), "referralInvites"),
            **_read_only(
                _("custom field values are written by customFields."), "customFieldValues"
            ),
        },
    )


_CONTACT_OF_ACTIVITY = (
    "email_address",
    "phone_number",
    "phone_number_country_code",
    "first_name",
    "last_name",
    "name",
)
_ACTIVITY_EXACT = words(
    contact__id="contact, contactId, contact.id",
    type="type",
    source="source",
    happened_at="happenedAt",
    spend="spend",
    currency_code="currencyCode",
    external_reference="externalReference",
    purchase="purchase",
    gift_card="giftCard",
    referral_invite="referralInvite",
    data="data",
)
_ACTIVITY_SYNONYMS = words(
    type="Activity, Activity type, Event, Event type",
    source="System, Origin",
    happened_at="Date, Time, Datetime, Date/Time, Date and time, When, Timestamp, Happened, "
    "Occurred, Occurred at, Order date, Transaction date, Purchase date, Activity date, "
    "Event date, Datum, Bestelldatum, Kaufdatum, Date de commande, Fecha, Fecha del pedido",
    spend="Amount, Total, Value, Price, Order total, Total price, Gross, Revenue, Sum, "
    "Betrag, Summe, Gesamtbetrag, Montant, Importe, Bedrag, Importo",
    currency_code="Currency, Currency code, Währung, Devise, Moneda, Valuta",
    external_reference="Reference, Ref, External ID, External reference, Order ID, Order number, "
    "Order no, Transaction ID, Receipt, Receipt number, Bestellnummer, Auftragsnummer, "
    "Belegnummer, Numéro de commande, Número de pedido, Ordernummer",
    gift_card="Gift card, Voucher",
    referral_invite="Referral invite",
    booking__check_in="Check in, Check-in, Arrival, Arrival date",
    booking__check_out="Check out, Check-out, Departure, Departure date",
    booking__number_of_guests="Guests, Number of guests, Pax",
    booking__room_type="Room type",
    booking__room_name="Room, Room name",
    booking__status="Booking status",
    booking__external_reference="Booking reference, Booking ID, Booking number",
)


def activity_vocabulary(reservations: Mapping[str, Iterable[str]]) -> Vocabulary:
    """The words for what an activity has. `reservations` are the columns of each kind."""
    exact = dict(_ACTIVITY_EXACT)
    for kind, columns in reservations.items():
        for column in columns:
            exact[plain(f"{kind}.{column}")] = f"{kind}.{column}"
    synonyms = dict(_ACTIVITY_SYNONYMS)
    for word, target in (*_CONTACT_EXACT.items(), *_CONTACT_SYNONYMS.items()):
        if target in _CONTACT_OF_ACTIVITY:
            synonyms.setdefault(word, f"contact.{target}")
            exact.setdefault(f"contact{word}", f"contact.{target}")
    kept = _("it is {field}, which is kept by the system and is read-only.")
    given = _(
        "the id of an activity is given by the system; another system's is externalReference."
    )
    # Their customer 17 is hardly our contact 17.
    whose = _(
        "another system's id says nothing here; if it is the contact's id, map it to contact."
    )
    return Vocabulary(
        exact=exact,
        synonyms=synonyms,
        read_only={
            **_read_only(given, "id"),
            **_read_only(whose, "Customer ID, Guest ID, Client ID, Customer, Guest, Client"),
            **_read_only(kept.format(field="createdAt"), "createdAt"),
            **_read_only(kept.format(field="updatedAt"), "updatedAt"),
        },
        prefixes={"data.": "data."},
    )
