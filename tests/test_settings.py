"""What a start with wrong settings says, and what is safe without any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOOD_KEY = "k" * 60
SHOW = (
    "import json, crm.settings as s; "
    "print(json.dumps({n: getattr(s, n) for n in dir(s) if n.isupper() and n != 'BASE_DIR'}, "
    "default=str))"
)


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    """A process that reads the settings with only these variables set."""
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "crm.settings"}
    code = (
        "import sys\n"
        "from django.core.exceptions import ImproperlyConfigured\n"
        f"try:\n    {SHOW}\n"
        "except ImproperlyConfigured as error:\n    sys.exit(str(error))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"DEBUG": "maybe"}, "Set it to on or off"),
        ({"DEBUG": "off"}, "SECRET_KEY is not set"),
        ({"ALLOWED_HOSTS": "crm.example.com"}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short", "ALLOWED_HOSTS": "crm.example.com"}, "50 random characters"),
        ({"SECRET_KEY_FILE": "/nowhere/key"}, "cannot be read"),
        (
            {"SECRET_KEY": GOOD_KEY, "DEBUG": "on", "ALLOWED_HOSTS": "crm.example.com"},
            "set DEBUG to off",
        ),
        ({"ALLOWED_HOSTS": "https://crm.example.com/"}, "without https://"),
        ({"CSRF_TRUSTED_ORIGINS": "crm.example.com"}, "with its scheme"),
        ({"SITE_URL": "crm.example.com"}, "such as https://crm.example.com"),
        ({"SITE_URL": "https://crm.example.com/crm"}, "without a path"),
        ({"HTTPS": "2"}, "Set it to on or off"),
        ({"PROXIES": "-1"}, "whole number from 0 to 9"),
        ({"DATABASE_URL": "regulars.sqlite3"}, "postgres://user:password@host:5432/name"),
        ({"DATABASE_URL": "mysql://h/d"}, "postgres://user:password@host:5432/name"),
        ({"DATABASE_URL": "postgres://u:p/q@h:5432/d"}, "%2F"),
        ({"DATABASE_URL": "postgres://u:p@h/"}, "names no database"),
        ({"DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3"}, "not a directory"),
        ({"READ_REPLICA_URL": "postgres://u:p@replica/d"}, "leave READ_REPLICA_URL out"),
        (
            {"DATABASE_URL": "postgres://u:p@h/d", "READ_REPLICA_URL": "sqlite:////tmp/d.sqlite3"},
            "names a replica of PostgreSQL",
        ),
        ({"DATABASE_POOL": "some"}, "whole number from 0 to 256"),
        ({"PORT": "http"}, "whole number from 1 to 65535"),
        ({"PORT": "70000"}, "whole number from 1 to 65535"),
        ({"WEB_WORKERS": "0"}, "whole number from 1 to 256"),
        ({"WEB_THREADS": "1.5"}, "whole number from 1 to 64"),
        ({"LOG_LEVEL": "loud"}, "DEBUG, INFO, WARNING, ERROR"),
        ({"LOG_FORMAT": "xml"}, "text, json"),
        ({"API_RATE_LIMIT": "100"}, "such as 100/s"),
        ({"API_RATE_LIMIT": "0/s"}, "such as 100/s"),
        ({"CACHE_URL": "memcached://here"}, "redis://"),
        ({"EMAIL_URL": "mail.example.com"}, "smtp+tls://user:password@host:587"),
        ({"EMAIL_URL": "smtp://host:lots"}, "smtp+tls://user:password@host:587"),
        ({"SMS_BACKEND": "pigeon"}, "none, log, twilio"),
        ({"SMS_BACKEND": "twilio", "TWILIO_FROM": "+447700900000"}, "TWILIO_AUTH_TOKEN"),
        ({"WEBHOOKS_ALLOW_PRIVATE": "localhost"}, "such as 127.0.0.0/8"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_wrong_value_stops_the_start_with_a_sentence(
    variables: dict[str, str], sentence: str
) -> None:
    started = start(**variables)
    assert started.returncode == 1
    assert sentence in started.stderr
    assert "Traceback" not in started.stderr
    assert len(started.stderr.strip().splitlines()) == 1


def test_a_wrong_database_url_is_not_repeated_with_its_password() -> None:
    started = start(DATABASE_URL="postgres://regulars:sesame@host:fivefourthreetwo/regulars")
    assert started.returncode == 1
    assert "sesame" not in started.stdout + started.stderr


def test_a_wrong_mail_server_is_not_repeated_with_its_password() -> None:
    started = start(EMAIL_URL="smtp://user:sesame@host:lots")
    assert started.returncode == 1
    assert "sesame" not in started.stdout + started.stderr


def settings(**variables: str) -> dict[str, object]:
    started = start(**variables)
    assert started.returncode == 0, started.stderr
    shown: dict[str, object] = json.loads(started.stdout)
    return shown


def test_without_any_setting_only_this_machine_is_answered() -> None:
    shown = settings()
    assert shown["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert shown["HOST"] == "127.0.0.1"
    assert shown["DEBUG"] is False


def test_a_short_key_will_do_where_nobody_else_can_reach() -> None:
    assert settings(SECRET_KEY="short", DEBUG="off")["SECRET_KEY"] == "short"


def test_with_a_public_name_everything_asks_for_tls() -> None:
    shown = settings(SECRET_KEY=GOOD_KEY, ALLOWED_HOSTS="crm.example.com")
    assert shown["DEBUG"] is False
    assert shown["SECURE_SSL_REDIRECT"]
    assert shown["SESSION_COOKIE_SECURE"]
    assert shown["CSRF_COOKIE_SECURE"]
    assert shown["SECURE_HSTS_SECONDS"]
    assert shown["PROXIES"] == 1


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(GOOD_KEY + "\n")
    assert settings(SECRET_KEY_FILE=str(file))["SECRET_KEY"] == GOOD_KEY


def test_an_empty_value_counts_as_not_set() -> None:
    assert settings(DATABASE_URL="", DEBUG="", PORT="")["PORT"] == 8000


def test_trying_out_sends_nothing_and_a_server_never_pretends_to() -> None:
    shown = settings()
    assert str(shown["EMAIL_BACKEND"]).endswith("console.EmailBackend")
    assert shown["SMS_BACKEND"] == "log"
    shown = settings(SECRET_KEY=GOOD_KEY)
    assert str(shown["EMAIL_BACKEND"]).endswith("smtp.EmailBackend")
    assert shown["SMS_BACKEND"] == "none"


def test_a_mail_server_is_read_from_its_url() -> None:
    shown = settings(EMAIL_URL="smtp+tls://jo%40inn:p%2Fw@mail.example.com")
    assert (shown["EMAIL_HOST"], shown["EMAIL_PORT"]) == ("mail.example.com", 587)
    assert (shown["EMAIL_HOST_USER"], shown["EMAIL_HOST_PASSWORD"]) == ("jo@inn", "p/w")
    assert (shown["EMAIL_USE_TLS"], shown["EMAIL_USE_SSL"]) == (True, False)


def test_sqlite_is_opened_for_several_writers() -> None:
    databases = settings()["DATABASES"]
    assert isinstance(databases, dict)
    options = databases["default"]["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] >= 5
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=NORMAL" in options["init_command"]
