"""The Python client in the scenarios that all clients play: tests/clients/scenarios/README.md."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from livechat_client import (
    Chat,
    ChatError,
    Closed,
    Edited,
    Entry,
    Gap,
    Message,
    Place,
    Retracted,
    Status,
    connect,
)

from tests.client.playing import Frame, Wire, hello, jwt, playing, run

PLACE = Path(__file__).parent.parent / "clients" / "scenarios"
SCENARIOS = [each for path in sorted(PLACE.glob("*.json")) for each in json.loads(path.read_text())]
#: Names of the JavaScript client that are others here.
NAMES = {"replyTo": "reply_to", "retryMs": "retry"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each["name"])
def test_scenarios_play_as_written(scenario: Frame, request: pytest.FixtureRequest) -> None:
    if "state" not in scenario:
        request.getfixturevalue("hurries")
    run(_plays(scenario))


async def _plays(scenario: Frame) -> None:
    connections, told = scenario["connections"], scenario.get("told", [])
    statuses: list[Status] = []
    entries: list[Entry] = []

    async def play(wire: Wire, count: int) -> None:
        for step in connections[min(count, len(connections) - 1)]:
            await _step(wire, *step)

    async with playing(play) as script:
        places: list[Place | None] = []

        async def visit() -> None:
            async with connect(script.url, **_options(scenario, statuses.append)) as chat:
                calls = [_call(chat, *each) for each in scenario.get("calls", [])]
                await asyncio.gather(*calls)
                while len(entries) < len(told):
                    entries.append(await anext(chat))
                places.append(chat.place())
                await asyncio.Event().wait()

        visiting = asyncio.create_task(visit())
        while not visiting.done() and not _is_over(scenario, places, statuses, script.asked):
            await asyncio.wait({visiting}, timeout=0.005)
        visiting.cancel()
        await asyncio.wait({visiting})
        if not visiting.cancelled() and not isinstance(visiting.exception(), Closed):
            await visiting
        assert [_shown(each) for each in entries] == told
        _check(scenario, script, statuses)
        if "place" in scenario:
            (seen,) = places
            assert seen is not None
            assert {"epoch": seen.epoch, "seq": seen.seq} == scenario["place"]


async def _step(wire: Wire, step: str, *given: Any) -> None:
    match step:
        case "hello":
            await wire.say(hello(**given[0]))
        case "say":
            await wire.say(*given)
        case "hear":
            await wire.hear()
        case "cut":
            wire.cut()
        case _:
            await getattr(wire, step)(*given)


def _options(scenario: Frame, told: Callable[[Status], None]) -> dict[str, Any]:
    options = dict(scenario.get("options", {}))
    count = options.pop("tokens", 0)
    left = iter(range(count))
    if count:
        options["token"] = lambda: jwt(next(left, count - 1))
    return {**options, "on_status": told, "open_timeout": None}


async def _call(chat: Chat, method: str, given: list[Any], expected: Frame) -> None:
    has_options = isinstance(given[-1], dict) and method != "act"
    more: Frame = given[-1] if has_options else {}
    arguments = given[:-1] if has_options else given
    options = {NAMES.get(name, name): value for name, value in more.items()}
    result: Any
    try:
        result = await getattr(chat, method)(*arguments, **options)
    except ChatError as error:
        result = error
    wanted = dict(expected)
    code = wanted.pop("fails", None)
    assert getattr(result, "code", None) == code
    for name, value in wanted.items():
        scaled = value / 1_000 if name == "retryMs" else value
        assert getattr(result, NAMES.get(name, name)) == scaled


def _is_over(scenario: Frame, places: list[Any], statuses: list[Status], asked: list[Any]) -> bool:
    wanted = scenario.get("since") or scenario.get("tokens") or []
    if "state" in scenario and not any(_is(each, scenario["state"]) for each in statuses):
        return False
    return len(asked) >= len(wanted) and bool(places or "state" in scenario)


def _is(status: Status, wanted: Frame) -> bool:
    return bool(status.state == wanted["state"])


def _check(scenario: Frame, script: Any, statuses: list[Status]) -> None:
    if "since" in scenario:
        assert [query.get("since") for _, query in script.asked] == scenario["since"]
    if "tokens" in scenario:
        assert script.brought == [f"Bearer {jwt(each)}" for each in scenario["tokens"]]
    if "asked" in scenario:
        assert list(script.asked[0]) == scenario["asked"]
    if "heard" in scenario:
        nonces = list(dict.fromkeys(each["nonce"] for each in script.heard))
        heard = [{**each, "nonce": nonces.index(each["nonce"])} for each in script.heard]
        assert heard == scenario["heard"]
    if "state" in scenario:
        _check_state(scenario["state"], statuses)


def _check_state(wanted: Frame, statuses: list[Status]) -> None:
    found = next(each for each in statuses if each.state == wanted["state"])
    assert found.code == wanted.get("code", found.code)
    assert found.reason == wanted.get("reason", found.reason)
    if "retryMs" in wanted:
        assert found.retry == wanted["retryMs"] / 1_000
    if "least" in wanted:
        assert found.retry is not None
        assert wanted["least"] <= 1_000 * found.retry <= wanted["most"]


def _shown(entry: Entry) -> list[Any]:
    """An entry, as the JavaScript client tells it."""
    match entry:
        case Gap(reason, missed):
            return ["gap", _given(reason=reason, missed=missed)]
        case Edited(seq, time, ref, text, data):
            return ["edited", _given(seq=seq, time=_ms(time), ref=ref, text=text, data=data)]
        case Retracted(seq, time, refs, by):
            return ["retracted", {"seq": seq, "time": _ms(time), "refs": list(refs), "by": by}]
        case Message(seq, time, text, user, reply_to, data, edited):
            who = user and {"id": user.id, "name": user.name}
            when = edited and _ms(edited)
            more = _given(user=who, replyTo=reply_to, data=data, edited=when)
            return ["message", {"message": text, "seq": seq, "time": _ms(time), **more}]


def _given(**values: Any) -> Frame:
    return {name: each for name, each in values.items() if each is not None}


def _ms(time: datetime) -> int:
    return round(1_000 * time.timestamp())
