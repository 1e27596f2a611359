# The dependencies are built apart, so that pip and its caches stay behind.
FROM python:3.12-slim AS dependencies
RUN python -m venv /opt/tessera
COPY requirements.lock /tmp/
RUN /opt/tessera/bin/pip install --no-cache-dir --require-hashes -r /tmp/requirements.lock

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin tessera \
    && install --directory --owner=tessera --group=tessera --mode=0700 /var/lib/tessera
COPY --from=dependencies /opt/tessera /opt/tessera
WORKDIR /app
COPY pyproject.toml README.md LICENSE alembic.ini ./
COPY src ./src
COPY migrations ./migrations
# Editable, so that the code finds alembic.ini and the migrations beside it; hatchling is what builds it.
RUN /opt/tessera/bin/pip install --no-cache-dir --no-deps --editable . \
    && /opt/tessera/bin/python -m compileall -q src migrations
ENV PATH=/opt/tessera/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TESSERA_HOST=0.0.0.0 \
    TESSERA_DATA_DIR=/var/lib/tessera
USER tessera
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health/ready' % (os.environ.get('TESSERA_PORT') or os.environ.get('PORT') or 8000), timeout=4)"]
ENTRYPOINT ["tessera"]
CMD ["api"]
