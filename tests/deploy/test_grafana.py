"""deploy/grafana.json, as far as it can be seen without Grafana."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent.parent
BOARD: Final[dict[str, Any]] = json.loads((ROOT / "deploy" / "grafana.json").read_text())
PANELS: Final[list[dict[str, Any]]] = BOARD["panels"]
COLUMNS: Final = 24


def test_grafana_imports_the_dashboard() -> None:
    """Grafana takes it for any server: it names itself, and no data source of its makers."""
    assert BOARD["uid"] == BOARD["title"] == "livechat"
    assert "id" not in BOARD
    assert BOARD["schemaVersion"] >= 36
    names = [each["name"] for each in BOARD["templating"]["list"]]
    assert names == ["datasource", "job", "instance"]
    sources = [each["datasource"] for each in PANELS if each["type"] != "row"]
    sources += [each["datasource"] for panel in PANELS for each in panel.get("targets", ())]
    assert {each["uid"] for each in sources} == {"${datasource}"}


def test_each_panel_has_a_number_and_its_text() -> None:
    """Each panel has a number of its own, says what it shows, and asks for the chosen servers."""
    assert len({each["id"] for each in PANELS}) == len(PANELS)
    for panel in PANELS:
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"].get("unit", "s")
        references = [each["refId"] for each in panel["targets"]]
        assert len(set(references)) == len(references) > 0
        for each in panel["targets"]:
            assert 'job=~"$job", instance=~"$instance"' in each["expr"]


def test_no_panel_covers_another() -> None:
    """No panel lies on another one, or beside the page."""
    places = [each["gridPos"] for each in PANELS]
    assert all(each["x"] >= 0 and each["x"] + each["w"] <= COLUMNS for each in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
