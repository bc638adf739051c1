"""Settings, all from the environment (docs/settings.md lists them).

Without any, Regulars runs on SQLite beside manage.py, safe on loopback. A wrong value stops the
start with a sentence that says what to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

from crm import logs
from crm.api.openapi import COMPONENTS
from crm.environment import LOOPBACK_HOSTS, Environment, only_loopback, wrong

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

SECRET_KEY = env.text("SECRET_KEY", "")
DEBUG = env.flag("DEBUG", default=False)
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", list(LOOPBACK_HOSTS))
# Nothing set: somebody tries Regulars out. It then answers this machine only, and works as it
# does in production, rather than with DEBUG, which keeps every query in memory.
trying_out = not SECRET_KEY
if trying_out:
    if (env.given("DEBUG") and not DEBUG) or not only_loopback(ALLOWED_HOSTS):
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. With DEBUG off, or with ALLOWED_HOSTS that others can reach, "
            "set it to a long random text, such as the output of: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    SECRET_KEY = "only-for-trying-out-on-this-machine-" + "0" * 20
elif len(SECRET_KEY) < 50 and not only_loopback(ALLOWED_HOSTS):
    raise ImproperlyConfigured(
        "SECRET_KEY is too short to be safe. Set it to 50 random characters or more, such as the "
        "output of: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )
if DEBUG and not only_loopback(ALLOWED_HOSTS):
    raise wrong(
        "DEBUG",
        "on",
        "It shows settings and data to whoever meets an error: set DEBUG to off, or ALLOWED_HOSTS "
        "to localhost.",
    )
# Former keys: what they signed or encrypted can still be read, nothing new is.
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", [])
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")

# With names that others can reach, a proxy in front ends TLS and says so in X-Forwarded-Proto.
HTTPS = env.flag("HTTPS", default=not only_loopback(ALLOWED_HOSTS))
PROXIES = env.number("PROXIES", 1 if HTTPS else 0, minimum=0, maximum=9)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGGING = logs.configure(
    level=env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    layout=env.choice("LOG_FORMAT", "text" if DEBUG or trying_out else "json", ("text", "json")),
)

# The production server (`make run`, `manage.py serve`).
HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000, minimum=1, maximum=65535)
# Where others reach this site: what absolute links in messages begin with.
SITE_URL = env.origin("SITE_URL", f"http://127.0.0.1:{PORT}")
WEB_WORKERS = env.number("WEB_WORKERS", 2, minimum=1, maximum=256)
WEB_THREADS = env.number("WEB_THREADS", 4, minimum=1, maximum=64)

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "crm.admin.config.RegularsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django.forms",
    "axes",
    "csp",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "crm",
    "crm.api",
    "organisations",
    "contacts",
    "customfields",
    "activities",
    "rewards",
    "imports",
    "workflows",
    "integrations",
    "desk",
]

MIDDLEWARE = [
    "crm.health.health",
    "crm.proxies.client_address",
    "django.middleware.security.SecurityMiddleware",
    "integrations.door.door",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "crm.api.middleware.ApiMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "organisations.middleware.OrganisationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "crm.urls"
WSGI_APPLICATION = "crm.wsgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
# Widgets of ours have their templates beside all others.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# A connection is kept for a minute: opening one per request costs three quarters of the speed.
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL", BASE_DIR / "regulars.sqlite3")
}
if replica := env.database("READ_REPLICA_URL", None):
    # Lists and exports are read there; see crm.replicas.
    if any("sqlite" in one["ENGINE"] for one in (DATABASES["default"], replica)):
        raise ImproperlyConfigured(
            "READ_REPLICA_URL names a replica of PostgreSQL. Set DATABASE_URL to the primary, "
            "postgres://user:password@host:5432/name, or leave READ_REPLICA_URL out."
        )
    DATABASES["replica"] = {**replica, "TEST": {"MIRROR": "default"}}
    DATABASE_ROUTERS = ["crm.replicas.Router"]
DATABASE_POOL = env.number("DATABASE_POOL", 0, minimum=0, maximum=256)
for database in DATABASES.values():
    database.setdefault("CONN_MAX_AGE", 60)
    database["CONN_HEALTH_CHECKS"] = True
    if DATABASE_POOL and "postgresql" in database["ENGINE"]:
        pool = {"min_size": 1, "max_size": DATABASE_POOL, "timeout": 10}
        database.update(CONN_MAX_AGE=0, OPTIONS={**database.get("OPTIONS", {}), "pool": pool})
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Writers take their turn: IMMEDIATE and a busy timeout, or readers meet "database is locked".
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        transaction_mode="IMMEDIATE",
        timeout=30,
        init_command=(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-64000; "
            "PRAGMA temp_store=MEMORY;"
        ),
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "organisations.backends.RoleBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AXES_VERBOSE = False
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
AXES_ENABLE_ADMIN = False  # whoever waits a quarter of an hour, or `manage.py axes_reset`
LOGIN_URL, LOGIN_REDIRECT_URL = "admin:login", "admin:index"

# Nothing is loaded from another host. Unfold sets its colours in a style element; the pages of the
# admin may also evaluate scripts (see `crm.admin.site`).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("fr", "Français")]
FORMAT_MODULE_PATH = ["crm.formats"]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Served from where they are installed: nothing to collect, nothing to forget at an upgrade.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 600

DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024  # a larger body is 413 in the API
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "crm.api.authentication.ApiKeyAuthentication",
        "crm.api.authentication.StaffAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [],  # crm.api.permissions, which every ApiView asks
    "DEFAULT_RENDERER_CLASSES": ["crm.api.json.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["crm.api.json.JSONParser"],
    "EXCEPTION_HANDLER": "crm.api.errors.problem_handler",
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "crm.api.schema.ApiSchema",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Regulars",
    "DESCRIPTION": "Contacts, custom fields and activities of your organisation.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "APPEND_COMPONENTS": COMPONENTS,
    # Names for choices whose field's name alone does not tell them apart.
    "ENUM_NAME_OVERRIDES": {
        "ReferralInviteStatus": "contacts.models.ReferralInvite.Status",
        "OrganisationStatus": "organisations.models.Organisation.Status",
        "CustomFieldType": "customfields.types.TYPES",
        "WorkflowStatus": "workflows.models.Workflow.Status",
        "RunStatus": "workflows.models.Run.Status",
        "StepStatus": "workflows.models.StepExecution.Status",
        "CreditEntryKind": "rewards.models.CreditEntry.Kind",
        "WebhookEndpointStatus": "integrations.outgoing.models.WebhookEndpoint.Status",
        "WebhookDeliveryStatus": "integrations.outgoing.models.WebhookDelivery.Status",
    },
    "PATH_CONVERTER_OVERRIDES": {
        "id": {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1}
    },
    # The page takes everything from this host (crm.api.docs).
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "displayRequestDuration": True,
        "persistAuthorization": True,
        "tryItOutEnabled": True,
        "validatorUrl": None,
    },
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Regulars",
    "SITE_HEADER": "Regulars",
    "SITE_SYMBOL": "loyalty",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "crm.admin.site.favicon"}],
    "STYLES": ["crm.admin.site.stylesheet", "desk.admin.search.stylesheet"],
    "SCRIPTS": ["crm.admin.site.script", "desk.admin.search.script"],
    "SIDEBAR": {"navigation": "crm.admin.navigation.sidebar"},
    "ACCOUNT": {"navigation": "crm.admin.navigation.account"},
    "COLORS": {
        "primary": {
            "50": "#effaf6",
            "100": "#d8f3e8",
            "200": "#b4e6d3",
            "300": "#82d2b8",
            "400": "#4db698",
            "500": "#2a9a7d",
            "600": "#177a63",
            "700": "#146352",
            "800": "#134f43",
            "900": "#114138",
            "950": "#052520",
        }
    },
}

# Nobody in particular: never matches two people together (docs/concepts.md, "Who is who").
PLACEHOLDER_IDENTIFIERS = env.words(
    "PLACEHOLDER_IDENTIFIERS",
    [
        "none",
        "none@*",
        "no@*",
        "noemail@*",
        "no-email@*",
        "noreply@*",
        "no-reply@*",
        "unknown",
        "unknown@*",
        "n/a",
        "na",
        "-",
        "0",
        "00*000000",
        "+000*",
        "*@guest.booking.com",
        "*@m.expediapartnercentral.com",
        "*@guest.airbnb.com",
        "*@privaterelay.appleid.com",
        "*@relay.firefox.com",
    ],
)
API_RATE_LIMIT = env.rate("API_RATE_LIMIT", "100/s")
# Where the processes of a machine count together; a private directory for temporary files if unset.
API_RATE_LIMIT_DIR = env.text("API_RATE_LIMIT_DIR", "")
# Redis, where several machines count together.
CACHE_URL = env.text("CACHE_URL", "")
if CACHE_URL and not CACHE_URL.startswith(("redis://", "rediss://", "unix://")):
    raise wrong("CACHE_URL", CACHE_URL, "Set it to a Redis, such as redis://127.0.0.1:6379/0.")
if CACHE_URL:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CACHE_URL,
            "OPTIONS": {"socket_timeout": 0.25, "socket_connect_timeout": 0.25},
        }
    }

# RabbitMQ or Redis, by which workers on several machines are told to look (docs/workers.md).
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "")
if CELERY_BROKER_URL and not CELERY_BROKER_URL.startswith(
    ("amqp://", "amqps://", "redis://", "rediss://")
):
    raise wrong(
        "CELERY_BROKER_URL",
        CELERY_BROKER_URL.partition(":")[0] + ":…",
        "Set it to a RabbitMQ or Redis: amqp://user:password@host:5672// or redis://host:6379/1.",
    )
CELERY_QUEUE = env.text("CELERY_QUEUE", "regulars")

# Messages (docs/messages.md). Whoever tries Regulars out sees them on the console and in the log;
# nothing that was not sent must count as sent anywhere else.
globals().update(env.mail("EMAIL_URL", "console" if trying_out else "smtp://localhost:25"))
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "regulars@localhost")
SMS_BACKEND = env.choice("SMS_BACKEND", "log" if trying_out else "none", ("none", "log", "twilio"))
TWILIO_URL = env.text("TWILIO_URL", "https://api.twilio.com")
TWILIO_ACCOUNT_SID = env.text("TWILIO_ACCOUNT_SID", "")
TWILIO_AUTH_TOKEN = env.text("TWILIO_AUTH_TOKEN", "")
TWILIO_FROM = env.text("TWILIO_FROM", "")
if SMS_BACKEND == "twilio" and not (TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN and TWILIO_FROM):
    raise ImproperlyConfigured(
        "SMS_BACKEND is twilio, which needs TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM. "
        "Set all three, or SMS_BACKEND to none."
    )
# Networks within which workflows and webhooks may call addresses (crm/outbound.py).
WEBHOOKS_ALLOW_PRIVATE = env.networks("WEBHOOKS_ALLOW_PRIVATE")

# Files that staff upload to be imported: how large they may be, in megabytes, and how many days
# after the last change they are forgotten (docs/import.md).
IMPORTS_MAX_MB = env.number("IMPORTS_MAX_MB", 256, minimum=1, maximum=4096)
IMPORTS_KEEP_DAYS = env.number("IMPORTS_KEEP_DAYS", 14, minimum=1, maximum=3650)

# How long deliveries from other systems are kept, in days (docs/integrations.md).
INBOX_KEEP_DAYS = env.number("INBOX_KEEP_DAYS", 30, minimum=1, maximum=3650)

# How long messages to webhooks are kept, in days: longer than they are tried (docs/webhooks.md).
WEBHOOKS_KEEP_DAYS = env.number("WEBHOOKS_KEEP_DAYS", 30, minimum=7, maximum=3650)

# Seconds before each new attempt of a workflow's step that failed; after the last the run fails.
WORKFLOW_RETRY_PAUSES = [30, 300, 1800, 7200]
