"""`deploy/Containerfile`, read."""

from __future__ import annotations

import json
import re
import shlex
from typing import Final, NamedTuple

from tests.live.daemon import ROOT

FILE: Final = ROOT / "deploy" / "Containerfile"


class Step(NamedTuple):
    """An instruction, and what stands behind it."""

    name: str
    text: str


def stages() -> list[list[Step]]:
    """The steps of each image, from its FROM on."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: list[list[Step]] = []
    for line in filter(None, text.splitlines()):
        step = Step(*line.split(maxsplit=1))
        if step.name == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def of(name: str) -> list[str]:
    """Find the arguments of all steps of a name, in the image that is run."""
    return [step.text for step in stages()[-1] if step.name == name]


def environment() -> dict[str, str]:
    words = [word for text in of("ENV") for word in shlex.split(text)]
    return dict(word.split("=", 1) for word in words)


def entry_point() -> list[str]:
    """The command that is run, to which options are added."""
    (text,) = of("ENTRYPOINT")
    found: list[str] = json.loads(text)
    return found


def health_check() -> list[str]:
    (text,) = of("HEALTHCHECK")
    found: list[str] = json.loads(text[text.index("[") :])
    return found
