"""The files for containers: they say what livechat takes, and what `deploy/install` does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from livechat.command_line import Options
from livechat.config import Config, options
from livechat.options import variable
from tests.deploy import containerfile
from tests.deploy.sheets import CONTAINER, DEPLOYMENT, POD, SECRET, SHEETS, of_cluster
from tests.live.daemon import ROOT

INSTALL = ROOT / "deploy" / "install"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
#: Seconds in which livechat ends, but for what --linger and --drain add.
ENDS = 10


def accepted(environment: Mapping[str, str], words: Sequence[str] = ()) -> Config:
    """The options of a daemon that is started so; unknown ones are none of its variables."""
    own = {name for name in environment if name.startswith("LIVECHAT_")}
    assert own <= {variable(option) for option in options()}
    given = Options()
    given.parseOptions([*words])
    return Config.of(given, environment, Path("/state"))


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (s for s in SHEETS if (s["kind"], s["metadata"]["name"]) == (kind, name))
    return found


def test_steps_are_those_of_the_script() -> None:
    """Each step of the script is run, and in the image only what running takes."""
    build, final = containerfile.stages()
    ran = [step.text for step in build if step.name == "RUN"]
    assert ran == ["/source/deploy/install tools", "/source/deploy/install program /opt/livechat"]
    assert [step.text for step in final if step.name == "RUN"] == ["/opt/install system"]
    usage = subprocess.run([INSTALL, "-h"], capture_output=True, text=True, check=False)
    assert usage.returncode == 2
    assert re.findall(r"^ +deploy/install (\w+)", usage.stderr, re.MULTILINE) == [
        "tools", "program", "system",
    ]  # fmt: skip


def test_the_image_is_made_of_its_sources_alone() -> None:
    """The image is made of what the script takes, and nothing else goes to its builder."""
    build, _ = containerfile.stages()
    copied = {}
    for step in build:
        if step.name == "COPY":
            *sources, target = step.text.split()
            for source in sources:
                name = Path(source).name if target.endswith("/") else ""
                copied[source] = Path(target, name)
    assert copied == {source: Path("/source", source) for source in copied}
    (taken,) = re.findall(r'^SOURCES="(.+)"$', INSTALL.read_text(), re.MULTILINE)
    assert copied.keys() == {*taken.split(), "deploy/install"}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == copied.keys()
    assert all((ROOT / each).exists() for each in copied)


def test_the_image_runs_livechat_without_root() -> None:
    """The image's user is not root, its options are livechat's, and SIGTERM reaches livechat."""
    assert containerfile.of("USER") == ["10443:10443"]
    assert "USER_ID=10443\n" in INSTALL.read_text()
    assert containerfile.of("STOPSIGNAL") == ["SIGTERM"]
    assert containerfile.of("VOLUME") == containerfile.of("WORKDIR") == ["/state"]
    config = accepted(containerfile.environment())
    assert config.interface == "0.0.0.0"
    assert containerfile.of("EXPOSE") == [str(config.port)]
    assert containerfile.entry_point()[0] == "twistd"
    assert containerfile.health_check() == ["livechat", "check", "--alive"]


def services() -> Iterator[dict[str, Any]]:
    """Read the services as they are, and with the lines that are commented out."""
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    yield COMPOSE["services"]["livechat"]
    yield yaml.safe_load(re.sub(r"#(?=LIVECHAT_)", "", text))["services"]["livechat"]


def test_services_of_compose_have_options_of_livechat() -> None:
    """The services' options are livechat's, and give it the time that it takes to end."""
    for service in services():
        given = containerfile.environment() | service["environment"]
        config = accepted(given, service.get("command", []))
        assert config.workers == 2
        assert len(config.redis) == 1
        assert config.redis[0].removeprefix("redis://") in COMPOSE["services"]
        assert service["ports"] == [f"{config.port}:{config.port}"]
        assert int(service["stop_grace_period"].removesuffix("s")) > ENDS
    assert config.certificate is not None
    assert "./certs:/certs:ro" in service["volumes"]
    assert (ROOT / "deploy" / service["build"]["context"]).resolve() == ROOT
    assert ROOT / service["build"]["dockerfile"] == containerfile.FILE
    named_volumes = {
        each.split(":")[0]
        for each in chain(*(service["volumes"] for service in COMPOSE["services"].values()))
        if not each.startswith(".")
    }
    assert named_volumes == COMPOSE["volumes"].keys()


def test_pods_have_options_of_livechat() -> None:
    """The pod's options are livechat's; none comes from a service of the same name."""
    config = accepted(of_cluster(), CONTAINER["args"])
    assert config.redis == (f"redis://:{SECRET}@livechat-redis",)
    # Kubernetes would make LIVECHAT_PORT=tcp://10.0.0.1:443 of a service named `livechat`.
    assert POD["enableServiceLinks"] is False
    mounted = {each["mountPath"] for each in CONTAINER["volumeMounts"]}
    assert mounted == {"/state", "/certs"}
    assert config.certificate == Path("/certs/tls.crt")
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == config.port


@pytest.mark.parametrize(
    ("probe", "path"),
    [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")],
)
def test_probes_ask_existing_paths(probe: str, path: str) -> None:
    asked = CONTAINER[probe]["httpGet"]
    assert asked == {"path": path, "port": "https", "scheme": "HTTPS"}


def test_a_pod_has_its_time_to_end() -> None:
    """A pod has the time that it takes to end; two are there while one is renewed or moved."""
    config = accepted(of_cluster(), CONTAINER["args"])
    assert config.linger == 5
    assert POD["terminationGracePeriodSeconds"] > config.linger + config.drain + ENDS
    assert DEPLOYMENT["spec"]["replicas"] == 2
    assert DEPLOYMENT["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert named("PodDisruptionBudget", "livechat")["spec"]["minAvailable"] == 1


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_pods_meet_the_restricted_standard(kind: str) -> None:
    """As Kubernetes' own standard for pods, "restricted", asks for."""
    (sheet,) = (each for each in SHEETS if each["kind"] == kind)
    pod = sheet["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_selectors_find_their_pods() -> None:
    """Selectors find their pods, and addresses their services."""
    pods = [
        sheet["spec"]["template"]["metadata"]["labels"]
        for sheet in SHEETS
        if sheet["kind"] in {"Deployment", "StatefulSet"}
    ]
    for sheet in SHEETS:
        selector = sheet["spec"]["selector"]
        assert selector.get("matchLabels", selector) in pods
    stateful = named("StatefulSet", "livechat-redis")
    assert stateful["spec"]["serviceName"] == "livechat-redis"
    assert named("Service", "livechat-redis")["spec"]["ports"][0]["port"] == 6379
    uid = str(POD["securityContext"]["runAsUser"])
    assert containerfile.of("USER") == [f"{uid}:{uid}"]
