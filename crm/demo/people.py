"""Who the guests are: names, towns and phone numbers of the countries they come from.

Phone numbers are of the ranges that each country's regulator keeps for films and books, and
e-mail addresses of the domains that RFC 2606 keeps for examples: nobody real is ever written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Country:
    """Where guests come from. `share` is out of 100 guests. `phone` is a national or international
    number with `#` for each free digit; None where no range is kept free."""

    code: str
    share: int
    timezone: str
    phone: str | None
    streets: Sequence[str]
    towns: Sequence[tuple[str, str]]
    first_names: Sequence[str]
    last_names: Sequence[str]
    number_first: bool = False


# Many short words a line: the formatter would give each its own.
# fmt: off
COUNTRIES: Sequence[Country] = (
    Country(
        "GB",
        58,
        "Europe/London",
        "07700 900###",
        (
            "Church Lane", "Station Road", "Mill Street", "Victoria Terrace", "The Green",
            "Harbour View", "Queen's Road", "Orchard Close", "Castle Street", "Trevean Way",
            "Marine Parade", "Kings Avenue", "Fore Street", "Albany Road", "Penrose Gardens",
        ),
        (
            ("Falmouth", "TR11 3QX"), ("Truro", "TR1 2HJ"), ("Penzance", "TR18 4BZ"),
            ("St Ives", "TR26 1LP"), ("Plymouth", "PL1 3DJ"), ("Exeter", "EX4 3SR"),
            ("Bristol", "BS8 1TH"), ("Bath", "BA1 2QH"), ("London", "SE1 9PZ"),
            ("London", "N1 7GU"), ("London", "W4 2DR"), ("Reading", "RG1 5LR"),
            ("Oxford", "OX2 6JF"), ("Birmingham", "B15 2TT"), ("Manchester", "M20 3JG"),
            ("Leeds", "LS6 2AA"), ("Sheffield", "S11 8YA"), ("York", "YO24 1AQ"),
            ("Newcastle upon Tyne", "NE2 1XE"), ("Edinburgh", "EH9 1PR"), ("Glasgow", "G12 8QQ"),
            ("Aberdeen", "AB15 4YD"), ("Cardiff", "CF11 9LJ"), ("Swansea", "SA2 0FG"),
            ("Belfast", "BT9 5AH"),
        ),
        (
            "Amelia", "Olivia", "Isla", "Ava", "Emily", "Jessica", "Sophie", "Charlotte", "Grace",
            "Lucy", "Hannah", "Megan", "Rebecca", "Sarah", "Claire", "Helen", "Karen", "Susan",
            "Margaret", "Patricia", "Eilidh", "Siân", "Zoë", "Priya", "Aisha", "Fatima", "Chloé",
            "Oliver", "George", "Harry", "Jack", "Jacob", "Noah", "Charlie", "Thomas", "William",
            "James", "Daniel", "Matthew", "Andrew", "Stephen", "Richard", "Peter", "Alan", "Keith",
            "Graham", "Nigel", "Rhys", "Owain", "Hamish", "Callum", "Mohammed", "Imran", "Raj",
            "Kwame", "Tom", "Ben", "Alfie", "Edward", "Hugh", "Rosalind", "Beatrice", "Harriet",
        ),
        (
            "Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Davies", "Evans", "Thomas",
            "Roberts", "Johnson", "Walker", "Wright", "Robinson", "Thompson", "White", "Hughes",
            "Edwards", "Green", "Hall", "Wood", "Harris", "Lewis", "Martin", "Clarke", "Turner",
            "Hill", "Moore", "Cooper", "Ward", "Morris", "King", "Baker", "Allen", "Scott",
            "Mitchell", "Campbell", "Stewart", "MacDonald", "Fraser", "Murray", "Trelawny",
            "Penhaligon", "Tregenza", "Nancarrow", "Bolitho", "O'Brien", "McKenzie", "Patel",
            "Khan", "Hussain", "Singh", "Kaur", "Begum", "Okafor", "Adeyemi", "Mensah", "Chowdhury",
            "Ap Rhys", "Fitzgerald", "Hull", "Cartwright", "Pemberton-Lowe", "Ashdown",
        ),
        number_first=True,
    ),
    Country(
        "IE",
        9,
        "Europe/Dublin",
        "020 91# ####",
        ("Patrick Street", "Main Street", "Abbey Road", "Strand Road", "Bóthar na Trá"),
        (
            ("Dublin", "D06 Y3H9"), ("Cork", "T12 XY00"), ("Kinsale", "P17 W298"),
            ("Galway", "H91 E2K4"), ("Limerick", "V94 T2C8"), ("Waterford", "X91 P5V2"),
        ),
        (
            "Aoife", "Ciara", "Niamh", "Saoirse", "Caoimhe", "Róisín", "Sinéad", "Gráinne", "Orla",
            "Seán", "Cian", "Oisín", "Pádraig", "Conor", "Eoin", "Tadhg", "Ruairí", "Fionn",
        ),
        (
            "Murphy", "Kelly", "O'Sullivan", "Walsh", "Byrne", "Ryan", "O'Connor", "Ní Bhriain",
            "Ó Súilleabháin", "McCarthy", "Gallagher", "Doyle", "Nolan", "Flynn", "Quinn",
        ),
        number_first=True,
    ),
    Country(
        "FR",
        9,
        "Europe/Paris",
        "06 39 98 ## ##",
        ("rue de la République", "avenue Jean-Jaurès", "rue des Écoles", "quai de la Fosse"),
        (
            ("Paris", "75011"), ("Lyon", "69003"), ("Nantes", "44000"), ("Rennes", "35000"),
            ("Bordeaux", "33000"), ("Lille", "59800"), ("Saint-Malo", "35400"),
        ),
        (
            "Léa", "Manon", "Chloé", "Inès", "Élodie", "Amélie", "Hélène", "Françoise", "Margaux",
            "Lucas", "Hugo", "Théo", "Jérôme", "François", "Benoît", "Rémi", "Étienne", "Gaël",
        ),
        (
            "Martin", "Bernard", "Lefèvre", "Moreau", "Girard", "Lemaître", "Béranger", "Fournier",
            "Guérin", "Le Goff", "Kervella", "Dupré", "Château", "Mercier", "Noël", "Benali",
        ),
        number_first=True,
    ),
    Country(
        "DE",
        8,
        "Europe/Berlin",
        "0176 04069 0##",
        ("Hauptstraße", "Bahnhofstraße", "Goethestraße", "Gartenweg", "Schlüterstraße"),
        (
            ("Berlin", "10623"), ("Hamburg", "20354"), ("München", "80331"), ("Köln", "50667"),
            ("Düsseldorf", "40213"), ("Lübeck", "23552"), ("Göttingen", "37073"),
        ),
        (
            "Anna", "Lena", "Käthe", "Ursula", "Sabine", "Jördis", "Greta", "Katharina", "Frieda",
            "Lukas", "Jürgen", "Björn", "Matthias", "Jörg", "Günther", "Felix", "Stefan", "Uwe",
        ),
        (
            "Müller", "Schmidt", "Schneider", "Fischer", "Weiß", "Schäfer", "Köhler", "Böhm",
            "Krüger", "Groß", "Jäger", "Hoffmann", "Yılmaz", "von Bülow", "Lindner", "Strauß",
        ),
    ),
    Country(
        "US",
        6,
        "America/New_York",
        "+1 2#2-555-01##",
        ("Maple Street", "Oak Avenue", "Elm Drive", "Lakeview Road", "Washington Street"),
        (
            ("Boston", "02116"), ("New York", "10011"), ("Chicago", "60614"), ("Austin", "78704"),
            ("Portland", "97209"), ("San Francisco", "94117"), ("Savannah", "31401"),
        ),
        (
            "Madison", "Ashley", "Brianna", "Jennifer", "Linda", "Guadalupe", "Naomi", "Renée",
            "Tyler", "Brandon", "Michael", "Robert", "José", "Marcus", "Dwayne", "Walter",
        ),
        (
            "Johnson", "Miller", "Davis", "Rodríguez", "Martínez", "Anderson", "Nguyen", "Jackson",
            "Peterson", "O'Neill", "Washington", "Goldberg", "Schwartz", "Chen", "Núñez",
        ),
        number_first=True,
    ),
    Country(
        "ES",
        4,
        "Europe/Madrid",
        None,
        ("Calle Mayor", "Avenida de la Constitución", "Calle de Alcalá", "Paseo Marítimo"),
        (("Madrid", "28014"), ("Barcelona", "08007"), ("Bilbao", "48009"), ("Málaga", "29015")),
        (
            "Lucía", "María", "Begoña", "Inés", "Núria", "Itziar", "Pablo", "Álvaro", "Íñigo",
            "Jesús", "Joaquín", "Andrés",
        ),
        (
            "García", "Fernández", "González", "Rodríguez", "López", "Martínez", "Sánchez",
            "Muñoz", "Ibáñez", "Peña", "Etxeberría", "Puigdomènech",
        ),
    ),
    Country(
        "NL",
        3,
        "Europe/Amsterdam",
        None,
        ("Kerkstraat", "Prinsengracht", "Oranjelaan", "Molenweg"),
        (("Amsterdam", "1017 KL"), ("Utrecht", "3512 JE"), ("Rotterdam", "3011 AD")),
        ("Sanne", "Fleur", "Anouk", "Loïs", "Daan", "Sjoerd", "Jeroen", "Maarten"),
        ("de Vries", "van den Berg", "Bakker", "Visser", "van 't Hoff", "Brouwer", "Dijkstra"),
    ),
    Country(
        "SE",
        3,
        "Europe/Stockholm",
        "070-17406##",
        ("Storgatan", "Kungsgatan", "Sjövägen", "Östra Hamngatan"),
        (("Stockholm", "114 34"), ("Göteborg", "411 09"), ("Malmö", "211 34")),
        ("Astrid", "Åsa", "Märta", "Linnéa", "Björn", "Göran", "Håkan", "Sven"),
        ("Andersson", "Johansson", "Lindström", "Åkesson", "Sjögren", "Öberg", "Bergström"),
    ),
)
# fmt: on

MAIL_DOMAINS = ("example.com", "example.org", "example.net")

BUSINESSES = (
    ("Tregenza & Sons Boatbuilders", "Falmouth"),
    ("Falmouth Sailing Week", "Falmouth"),
    ("Carrick Roads Conferences", "Truro"),
    ("Penhaligon Weddings", "St Ives"),
    ("Atlantic Tidal Energy Ltd", "Plymouth"),
    ("Exe Valley Solicitors LLP", "Exeter"),
    ("Clifton Architects", "Bristol"),
    ("Kernow Film Unit", "Penzance"),
    ("Lizard Marine Research Trust", "Falmouth"),
    ("Brunel Rail Tours", "Bristol"),
    ("Royal Mount Rotary Club", "Plymouth"),
    ("Blue Anchor Insurance Brokers", "London"),
    ("Northgate Publishing", "London"),
    ("Solent Yacht Charter", "Southampton"),
    ("Marazion Primary School", "Penzance"),
    ("The Tamar Chamber Orchestra", "Plymouth"),
)
BRANCHES = (
    "Exeter", "Plymouth", "Truro", "Bristol", "Bath", "Taunton", "Padstow", "Bude", "Torquay",
    "Salcombe", "Newquay", "Tavistock", "Cardiff",
)  # fmt: skip
