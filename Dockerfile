# A separate stage builds and installs the wheel, so that the final image contains no sources and no build files.
# The digest makes the build repeatable; docker-compose.yml says how to find the newest one.
ARG PYTHON_IMAGE=python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea
FROM ${PYTHON_IMAGE} AS build
RUN python -m venv /opt/tessera
COPY requirements.lock /tmp/
RUN /opt/tessera/bin/pip install --no-cache-dir --require-hashes -r /tmp/requirements.lock
WORKDIR /build
COPY pyproject.toml hatch_build.py zensical.toml README.md LICENSE alembic.ini ./
COPY docs ./docs
COPY src ./src
COPY migrations ./migrations
RUN /opt/tessera/bin/pip install --no-cache-dir --no-deps .

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --home-dir /var/lib/tessera --shell /usr/sbin/nologin tessera \
    && install --directory --owner=tessera --group=tessera --mode=0700 /var/lib/tessera
COPY --from=build /opt/tessera /opt/tessera
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
