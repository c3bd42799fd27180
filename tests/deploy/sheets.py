"""`deploy/kubernetes.yaml`, read."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.deploy import containerfile
from tests.live.daemon import ROOT

SHEETS: list[dict[str, Any]] = [
    *yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
]
DEPLOYMENT = next(each for each in SHEETS if each["kind"] == "Deployment")
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]

#: The value of every secret in the cluster.
SECRET = "0123456789abcdef"


def of_cluster() -> dict[str, str]:
    """The environment of the container in the cluster."""
    found = containerfile.environment()

    def known(name: re.Match[str]) -> str:
        return found[name[1]]

    for each in CONTAINER["env"]:
        found[each["name"]] = re.sub(r"\$\((\w+)\)", known, each.get("value", SECRET))
    return found
