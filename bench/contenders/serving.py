"""Serves a rival's app as `betcore gateway` serves ours: the same server, the same options."""

import argparse
import logging
import os
import socket

import uvicorn
from starlette.types import ASGIApp

from ops.gateway import BACKLOG, STOP_WITHIN_SECONDS

_KEEP_ALIVE_SECONDS = 75


def serve_inherited(app: ASGIApp) -> None:
    """Serve on the socket of `--fd` until SIGTERM; the app writes to `--ready-fd` (`report`)."""
    logging.basicConfig(level=logging.WARNING)
    with socket.socket(fileno=_arguments().fd) as listener:
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=STOP_WITHIN_SECONDS,
        )
        # Handed over as a socket: of a descriptor uvicorn would not know that it is TCP, and each
        # answer would wait 40 ms for the client to confirm its headers.
        uvicorn.Server(config).run(sockets=[listener])


def report_ready() -> None:
    """Tell the benchmark that requests can be answered."""
    pipe = _arguments().ready_fd
    os.write(pipe, b"\n")
    os.close(pipe)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    return parser.parse_args()
