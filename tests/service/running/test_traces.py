"""Traces as a collector gets them: from a caller's span through gateway, queue and worker."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.service.support.processes import BoundedGatewayProcess, Process, until
from tests.service.support.world import World

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """The address of a collector of OpenTelemetry, and the spans that it has."""
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces", spans
        finally:
            server.shutdown()
            thread.join()


class TracedWorker(Process):
    """A worker, as `betcore worker` starts it."""

    _login = "worker"

    def __init__(self, world: World, **env: str) -> None:
        super().__init__(world.urls, "ops.cli", "worker", pass_fds=(), **env)


def test_a_bet_is_traced_from_its_caller_to_the_commit(own_world: World) -> None:
    with collector() as (url, spans):
        env = {"BETCORE_TRACES_URL": url}
        with (
            BoundedGatewayProcess(own_world.urls, **env) as gateway,
            TracedWorker(own_world, **env),
        ):
            gateway.wait_ready()
            own_world.gateways.append(gateway)
            player = own_world.open_session(own_world.provider())
            client = player.client.http
            assert player.pay_in_out(1).code == 1  # nobody traces it
            for parent in (f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-01-x", "x"):
                client.headers["traceparent"] = parent
                assert player.pay_in_out(1).code == 1
            client.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
            assert player.call("pay-in", "too much", betAmount=9_999).code == 4
            forged = client.post(f"{gateway.url}/v1/sessions/x/bets/pay-in", content=b"{}")
            assert forged.status_code == 401
        until(lambda: len([span for span in spans if span.name == "worker"]) == 2)

    by_id = {span.span_id.hex(): span for span in spans}
    of_trace = [span for span in spans if span.trace_id.hex() == TRACE]
    assert sorted(span.name for span in of_trace) == [
        *("commit", "commit", "pay_in", "pay_in_out", "queue", "queue", "worker", "worker")
    ]
    for span in of_trace:
        above = by_id.get(span.parent_span_id.hex())
        expected = {"queue": "pay_in", "worker": "pay_in", "commit": "worker"}.get(span.name)
        if expected is None:
            assert span.parent_span_id.hex() == CALLER
        else:
            assert above is not None
            assert above.name.startswith(expected)
    codes = {
        (span.name, attribute.value.int_value)
        for span in of_trace
        for attribute in span.attributes
        if attribute.key == "betcore.code"
    }
    assert codes == {("pay_in_out", 1), ("pay_in", 4), ("worker", 1), ("worker", 4)}
    batches = [span for span in spans if span.name == "batch"]
    links = [link for span in batches for link in span.links]
    assert {by_id[link.span_id.hex()].name for link in links} == {"pay_in", "pay_in_out"}
    for batch in batches:
        steps = [span.name for span in spans if span.parent_span_id == batch.span_id]
        assert sorted(steps) == ["commit", "decide", "finish", "load"]
