"""`bench.scenarios`."""

from __future__ import annotations

from bench.ours import OURS
from bench.peers.catalogue import PEERS
from bench.scenarios import PING_EVERY, ROUNDS, SCENARIOS
from livechat.members.pinging import PING_EVERY as SECONDS_BETWEEN_PINGS


def test_clusters_have_scenarios_of_their_own() -> None:
    """Clusters have scenarios of their own, beside few others."""
    for scenario in SCENARIOS:
        found = {peer.name for peer in (*OURS, *PEERS) if scenario.suits(peer)}
        clustered = {peer.name for peer in (*OURS, *PEERS) if peer.clustered}
        assert scenario.clustered == bool(found & clustered)
        if scenario.only:
            assert found == (clustered if scenario.clustered else set()) | set(scenario.only)
        else:
            assert not found & clustered
            assert "livechat" in found


def test_pings_are_measured_in_whole_rounds() -> None:
    scenario = next(each for each in SCENARIOS if each.name == "idle-pings")
    assert PING_EVERY == SECONDS_BETWEEN_PINGS
    for duration in (scenario.duration, scenario.least):
        assert duration % PING_EVERY == 0
    assert ROUNDS >= 1
