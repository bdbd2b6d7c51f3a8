# One image for every role: `betcore migrate`, `gateway`, `worker`, `dashboard`.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE betcore_launcher.py settings.py ./
COPY api api
COPY broker broker
COPY embedded embedded
COPY logs logs
COPY models models
COPY ops ops
COPY server server
COPY workers workers
# No extra `embedded`: the servers run in other containers.
RUN python -m venv /opt/betcore && /opt/betcore/bin/pip install --no-cache-dir .

FROM python:3.12-slim
COPY --from=build /opt/betcore /opt/betcore
ENV PATH=/opt/betcore/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BETCORE_GATEWAY_HOST=0.0.0.0 \
    BETCORE_DASHBOARD_HOST=0.0.0.0
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin betcore
USER betcore
# On SIGTERM gateways answer what has arrived, and workers finish their batch.
STOPSIGNAL SIGTERM
ENTRYPOINT ["betcore"]
CMD ["--help"]
