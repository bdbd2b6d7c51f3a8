# One image for every role: `betcore migrate`, `gateway`, `worker`, `portal`, `dashboard`.
# The base is pinned by its version. To pin it by its digest too, append `@sha256:…` as
# `docker buildx imagetools inspect` shows it.
ARG PYTHON=python:3.12.12-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/betcore
# Every package is of the version and content that the lock files name. `make lock` renews them.
COPY requirements.lock requirements-build.lock ./
RUN pip --python /opt/betcore/bin/python install --no-cache-dir --no-deps --only-binary :all: \
        --require-hashes --requirement requirements.lock \
    && pip install --no-cache-dir --no-deps --only-binary :all: \
        --require-hashes --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE betcore_launcher.py ./
COPY api api
COPY broker broker
COPY embedded embedded
COPY logs logs
COPY metrics metrics
COPY models models
COPY ops ops
COPY outbound outbound
COPY server server
COPY settings settings
COPY workers workers
# No extra `embedded`: the servers run in other containers.
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/betcore/bin/python install --no-cache-dir --no-deps /wheels/*.whl \
    && /opt/betcore/bin/python -m compileall -q /opt/betcore/lib

FROM ${PYTHON}
# Nothing that could install or build anything.
RUN python -m pip uninstall --yes --quiet --root-user-action ignore pip \
    && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin betcore \
    && install --directory --owner betcore --mode 0700 /var/lib/betcore
COPY --from=build /opt/betcore /opt/betcore
ENV PATH=/opt/betcore/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BETCORE_GATEWAY_HOST=0.0.0.0 \
    BETCORE_PORTAL_HOST=0.0.0.0 \
    BETCORE_DASHBOARD_HOST=0.0.0.0
# By number, so that Kubernetes can tell that it is not root.
USER 10001
WORKDIR /var/lib/betcore
# On SIGTERM gateways answer what has arrived, and workers finish their batch.
STOPSIGNAL SIGTERM
ENTRYPOINT ["betcore"]
CMD ["--help"]
