"""The file that tells Prometheus where the children of `betcore up` serve their metrics."""

import json
from collections.abc import Mapping
from pathlib import Path

from models.private_files import write_private
from ops.process.probe import reachable

FILE = "metrics-targets.json"


def write_targets(folder: Path, host: str, ports: Mapping[str, int]) -> Path:
    """Write where each process serves its metrics, in the form of Prometheus' `file_sd_configs`.

    Returns the file.
    """
    targets = [
        {"targets": [f"{reachable(host)}:{port}"], "labels": {"process": name}}
        for name, port in ports.items()
    ]
    file = folder / FILE
    write_private(file, json.dumps(targets, indent=1) + "\n")
    return file
