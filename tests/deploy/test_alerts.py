"""deploy/alerts.yaml, by Prometheus's own tool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parent.parent.parent
ALERTS: Final = ROOT / "deploy" / "alerts.yaml"
PROMTOOL: Final = shutil.which("promtool") or str(ROOT / "tests" / "clients" / "promtool")
RULES: Final[list[dict[str, Any]]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
GB: Final = 10**9
#: Length of the series; the slowest alert waits for an hour.
MINUTES: Final = 100

#: A server that does well: series by their names and labels, as promtool writes values.
WELL: Final = {
    "up": "1x{n}",
    "livechat_storing": "2x{n}",
    "livechat_processes": "2x{n}",
    "livechat_workers": "2x{n}",
    "livechat_start_time_seconds": "5x{n}",
    'livechat_redis_up{redis="r"}': "1x{n}",
    'livechat_redis_clock_ahead_seconds{redis="r"}': "-0.2x{n}",
    'livechat_redis_answer_seconds_bucket{redis="r", le="0.05"}': "0+60x{n}",
    'livechat_redis_answer_seconds_bucket{redis="r", le="0.25"}': "0+60x{n}",
    'livechat_redis_answer_seconds_bucket{redis="r", le="+Inf"}': "0+60x{n}",
    "livechat_healed_total": "0+3x{n}",
    'livechat_refusals_total{code="internal"}': "0x{n}",
    'livechat_refusals_total{code="unavailable"}': "0+1x{n}",
    'livechat_refusals_total{code="rate_limited"}': "0+60x{n}",
    'livechat_stored_to_written_seconds_bucket{le="0.05"}': "0+600x{n}",
    'livechat_stored_to_written_seconds_bucket{le="1.0"}': "0+600x{n}",
    'livechat_stored_to_written_seconds_bucket{le="+Inf"}': "0+600x{n}",
    'livechat_reactor_lag_seconds_bucket{le="0.05"}': "0+60x{n}",
    'livechat_reactor_lag_seconds_bucket{le="1.0"}': "0+60x{n}",
    'livechat_reactor_lag_seconds_bucket{le="+Inf"}': "0+60x{n}",
    "livechat_members": "1000x{n}",
    "livechat_slow_members": "12x{n}",
    'livechat_closes_total{by="server", code="4008"}': "0+5x{n}",
    'livechat_closes_total{by="server", code="1008"}': "0+1x{n}",
    'livechat_closes_total{by="server", code="4201"}': "0+1x{n}",
    'livechat_closes_total{by="peer", code="1006"}': "0+20x{n}",
    "livechat_connections": "1100x{n}",
    "livechat_connections_limit": "20000x{n}",
    "livechat_turned_away_total": "0+1x{n}",
    "livechat_handshakes_failed_total": "0+10x{n}",
    "livechat_disk_free_bytes": f"{50 * GB}-{GB // 1000}x{{n}}",
    "livechat_disk_size_bytes": f"{100 * GB}x{{n}}",
    "livechat_memory_bytes": f"{GB // 2}x{{n}}",
    "livechat_unsent_bytes": "1000x{n}",
    'livechat_webhook_oldest_seconds{receiver="hook"}': "30x{n}",
    "livechat_certificate_expires_seconds": f"{90 * 86_400}x{{n}}",
}
#: For each alert the series of its fault, and the other alerts that fire with it.
ILL: Final[dict[str, tuple[dict[str, str], set[str]]]] = {
    "LivechatDown": ({"up": "0x{n}"}, set()),
    "LivechatNotStoring": ({"livechat_storing": "1x{n}"}, set()),
    "LivechatRedisDown": ({'livechat_redis_up{redis="r"}': "0x{n}"}, set()),
    "LivechatRedisSlow": (
        {'livechat_redis_answer_seconds_bucket{redis="r", le="0.05"}': "0+50x{n}"}, set(),
    ),
    "LivechatClockDiffers": ({'livechat_redis_clock_ahead_seconds{redis="r"}': "-7x{n}"}, set()),
    "LivechatMessagesFetched": ({"livechat_healed_total": "0+120x{n}"}, set()),
    "LivechatWorkersMissing": (
        {"livechat_processes": "1x{n}", "livechat_storing": "1x{n}"}, set(),
    ),
    "LivechatRestarts": ({"livechat_start_time_seconds": "0+400x{n}"}, set()),
    "LivechatBugs": ({'livechat_refusals_total{code="internal"}': "0+1x{n}"}, set()),
    "LivechatRefusesMessages": (
        {'livechat_refusals_total{code="unavailable"}': "0+60x{n}"}, set(),
    ),
    "LivechatDeliversSlowly": (
        {'livechat_stored_to_written_seconds_bucket{le="0.05"}': "0+500x{n}"}, set(),
    ),
    "LivechatLags": ({'livechat_reactor_lag_seconds_bucket{le="0.05"}': "0+50x{n}"}, set()),
    "LivechatSlowConsumers": ({"livechat_slow_members": "60x{n}"}, set()),
    "LivechatSlowConsumersClosed": (
        {'livechat_closes_total{by="server", code="4008"}': "0+40x{n}"}, set(),
    ),
    "LivechatConnectionsBreak": (
        {'livechat_closes_total{by="peer", code="1006"}': "0+200x{n}"}, set(),
    ),
    "LivechatNearlyFull": ({"livechat_connections": "18500x{n}"}, set()),
    "LivechatTurnsAway": ({"livechat_turned_away_total": "0+90x{n}"}, set()),
    "LivechatFlood": (
        {'livechat_refusals_total{code="rate_limited"}': "0+2000x{n}"}, set(),
    ),
    "LivechatHandshakesFail": ({"livechat_handshakes_failed_total": "0+400x{n}"}, set()),
    "LivechatDiskFillsUp": (
        {"livechat_disk_free_bytes": f"{25 * GB}-{GB // 50}x{{n}}"}, set(),
    ),
    "LivechatDiskNearlyFull": ({"livechat_disk_free_bytes": f"{2 * GB}x{{n}}"}, set()),
    "LivechatMemory": ({"livechat_memory_bytes": f"{2 * GB}x{{n}}"}, set()),
    "LivechatWebhookWaits": (
        {'livechat_webhook_oldest_seconds{receiver="hook"}': "900x{n}"}, set(),
    ),
    "LivechatCertificateExpires": (
        {"livechat_certificate_expires_seconds": f"{10 * 86_400}x{{n}}"}, set(),
    ),
    "LivechatCertificateExpiresSoon": (
        {"livechat_certificate_expires_seconds": f"{2 * 86_400}x{{n}}"},
        {"LivechatCertificateExpires"},
    ),
}  # fmt: skip
#: Series which look like an ill server, and are none.
WELL_TOO: Final[dict[str, dict[str, str]]] = {
    "any number of connections": {"livechat_connections_limit": "0x{n}"},
    "a large disk that fills up slowly": {"livechat_disk_free_bytes": f"{40 * GB}-1000x{{n}}"},
    "a few slow ones in an empty server": {
        "livechat_members": "20x{n}", "livechat_slow_members": "9x{n}",
    },
    "a lone process without Redis": {
        "livechat_processes": "1x{n}", "livechat_workers": "1x{n}", "livechat_storing": "1x{n}",
        'livechat_redis_up{redis="r"}': "_x{n}",
    },
}  # fmt: skip


def promtool(*arguments: str) -> str:
    """Run promtool, which must succeed, and return its output."""
    assert Path(PROMTOOL).exists(), f"promtool is missing: run {ROOT}/tests/clients/install"
    ran = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def series(instance: str, changes: dict[str, str]) -> list[dict[str, str]]:
    """The figures of a server, as promtool reads them."""
    found = []
    for each, values in (WELL | changes).items():
        name, _, more = each.partition("{")
        labels = f'job="livechat", instance="{instance}"' + (f", {more}" if more else "}")
        found.append({"series": f"{name}{{{labels}", "values": values.format(n=MINUTES)})
    return found


def test_prometheus_takes_the_rules() -> None:
    """Prometheus takes the file."""
    assert f"{len(RULES)} rules found" in promtool("check", "rules", str(ALERTS))


def test_each_alert_fires_for_its_fault_alone(tmp_path: Path) -> None:
    """Each alert fires where its fault is, and no other one; none does where nothing is wrong."""
    assert {each["alert"] for each in RULES} == ILL.keys()
    servers = {"well": {}, **WELL_TOO, **{each: changes for each, (changes, _) in ILL.items()}}
    fires = 'count by (alertname, instance) (ALERTS{alertstate="firing"})'
    expected = [
        {"labels": f'{{alertname="{alert}", instance="{instance}"}}', "value": 1}
        for instance, (_, more) in ILL.items()
        for alert in {instance, *more}
    ]
    tests = {
        "interval": "1m",
        "input_series": [line for each in servers.items() for line in series(*each)],
        "promql_expr_test": [{"expr": fires, "eval_time": f"{MINUTES}m", "exp_samples": expected}],
    }
    path = tmp_path / "alerts.test.yaml"
    path.write_text(
        json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [tests]})
    )
    promtool("test", "rules", str(path))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_names_its_urgency_and_its_section(rule: dict[str, Any]) -> None:
    """An alert says how urgent it is, and names the section that says what to do."""
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
