# Regulars: one image for the web server and for the worker (docs/deployment.md).

FROM python:3.11-slim-bookworm AS build
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# First only the lock: this layer is built anew only when a dependency changes.
COPY requirements-runtime.lock .
RUN python -m venv /app/.venv \
    && /app/.venv/bin/pip install --require-hashes -r requirements-runtime.lock

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin regulars \
    && install -d -o regulars -g regulars /data
WORKDIR /app
COPY --from=build /app/.venv /app/.venv
COPY . .
# The code belongs to root: what runs it cannot change it. Only /data is written to (imports'
# error files, and SQLite when no DATABASE_URL says otherwise).
RUN /app/.venv/bin/python -m compileall -q crm organisations contacts customfields activities \
    rewards imports workflows integrations desk
USER regulars
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=crm.settings \
    DATABASE_URL=sqlite:////data/regulars.sqlite3 \
    HOST=0.0.0.0 \
    PORT=8000
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["python", "manage.py", "serve"]
