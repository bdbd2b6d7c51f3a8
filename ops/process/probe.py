"""Asks a process that listens on this host whether it works."""

from http.client import HTTPConnection, HTTPException

_WITHIN_SECONDS = 2.0
_SHOWN_CHARACTERS = 300  # of an answer


def in_url(host: str) -> str:
    """Return an address as it appears in a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def reachable(host: str) -> str:
    """Return where to connect, for an address to listen at, as it appears in a URL."""
    everywhere = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104
    return in_url(everywhere.get(host, host))


def silence(host: str, port: int, path: str) -> str:
    """Return what is wrong with the server at this address, in one line. "": it answers 200."""
    address = f"{reachable(host)}:{port}"
    connection = HTTPConnection(address, timeout=_WITHIN_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status == 200:
            return ""
        said = " ".join(response.read(_SHOWN_CHARACTERS).decode(errors="replace").split())
        return f"http://{address}{path} answers {response.status}: {said}"
    except (OSError, HTTPException) as error:
        return f"http://{address}{path} does not answer: {error}"
    finally:
        connection.close()
