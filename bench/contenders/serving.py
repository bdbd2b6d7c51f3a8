"""Serves a rival's app as `betcore gateway` serves ours: the same server, the same options."""

import argparse
import logging
import os
import socket

from starlette.types import ASGIApp

from server.bounds import bounds_of
from server.uvicorn_server import serve_http
from settings import settings


def serve_inherited(app: ASGIApp) -> None:
    """Serve on the socket of `--fd` until SIGTERM; the app writes to `--ready-fd` (`report`)."""
    logging.basicConfig(level=logging.WARNING)
    with socket.socket(fileno=_arguments().fd) as listener:
        serve_http(app, listener, bounds_of(settings()))


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
