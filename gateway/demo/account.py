"""What the demonstration tells people, in Vietnamese and English."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from gateway.demo.scenario import (
    CALLERS,
    COMMUNE,
    ENTERPRISE,
    HOUSEHOLD,
    LAND,
    OFFICER,
    PARCELS,
    PROVINCE,
    SYSTEM,
    TOWN,
    Step,
)
from gateway.demo.traffic import Credentials, Seen

Json = Mapping[str, Any]  # Any: JSON of the node

OUTCOMES = {
    "success": ("thành công", "success"),
    "business_failure": ("CSDL từ chối nghiệp vụ", "business failure"),
    "refused": ("bị từ chối", "refused"),
    "invalid": ("yêu cầu không hợp lệ", "invalid"),
    "unavailable": ("tạm ngừng", "unavailable"),
    "unreachable": ("không kết nối được CSDL", "unreachable"),
    "provider_failure": ("CSDL bị lỗi", "provider failure"),
    "unknown": ("không rõ kết quả", "unknown"),
    "node_failure": ("lỗi của nút", "node failure"),
}
TURNS = {
    "consumer": ("đơn vị gọi", "the caller"),
    "province": ("đơn vị quản trị nền tảng của tỉnh", "the province"),
    "hub": ("nền tảng quốc gia", "the national hub"),
    "provider": ("chủ quản CSDL", "the database's owner"),
}
INDENT = "      "
VIETNAM = timezone(timedelta(hours=7))
MOST_SHOWN = 400
"""Of an answer no more characters than this are printed."""
LONG_SECONDS = 600
"""What is further away is told with its day."""


def heading(vi: str, en: str) -> Iterator[str]:
    """Yield a heading."""
    yield ""
    yield f"== {vi} | {en}"


def call(number: int, step: Step, seen: Seen, record: Json) -> Iterator[str]:
    """Yield what happened in one call."""
    caller_vi, caller_en = CALLERS[step.caller]
    outcome_vi, outcome_en = OUTCOMES.get(record["outcome"], (record["outcome"],) * 2)
    yield f"{number:>3}.  {caller_vi} {step.vi}"
    yield f"{INDENT}The {caller_en} {step.en}"
    reason = f" ({record['reason']})" if record.get("reason") else ""
    yield f"{INDENT}-> HTTP {seen.status}, {outcome_vi} | {outcome_en}{reason}"
    if step.shows:
        yield f"{INDENT}   {seen.text[:MOST_SHOWN]}"
    if seen.problem:
        yield from _problem(seen.problem)


def _problem(problem: Json) -> Iterator[str]:
    for language in ("vi", "en"):
        yield f"{INDENT}   {problem['messages'][language]['title']}. {problem['messages'][language]['detail']}"
    turn_vi, turn_en = TURNS.get(problem.get("turn", ""), ("", ""))
    helps_vi, helps_en = _retry(problem.get("retry", {}), datetime.now(UTC))
    yield f"{INDENT}   Người cần xử lý: {turn_vi}; {helps_vi} | {turn_en} must act; {helps_en}"


def _retry(retry: Json, now: datetime) -> tuple[str, str]:
    """Say whether to call again, and when."""
    if not retry.get("helps"):
        return "gọi lại vô ích", "retrying does not help"
    after = retry.get("after_seconds")
    if after is None:
        return "gọi lại có ích", "retrying helps"
    at = (now + timedelta(seconds=after)).astimezone(VIETNAM)
    when = f"{at:%H:%M:%S}" if after < LONG_SECONDS else f"{at:%H:%M %d/%m/%Y}"
    return f"gọi lại có ích từ {when} (giờ Việt Nam)", f"retrying helps from {when} on (time of Vietnam)"


def figures(connectivity: Json, by_outcome: Mapping[str, int], records: int) -> Iterator[str]:
    """Yield the figures, each with its rule."""
    yield from heading("Số liệu", "Figures")
    for outcome, count in sorted(by_outcome.items(), key=lambda item: -item[1]):
        vi, en = OUTCOMES.get(outcome, (outcome, outcome))
        yield f"{count:>5}  {vi} | {en}"
    total = sum(by_outcome.values())
    yield f"{total:>5}  giao dịch, {records} bản ghi bằng chứng | exchanges, {records} evidence records"
    yield ""
    needed, connected = connectivity["needed"], connectivity["connected"]
    yield f"   Tỷ lệ kết nối của {connectivity['unit']}: {connected}/{needed} = {connectivity['share_percent']} %"
    yield f"   Connected systems of {connectivity['unit']}: {connected} of {needed} = {connectivity['share_percent']} %"
    yield f"   [quốc gia | nation: {connectivity.get('nation', 'demo')}, revision {connectivity['revision']}]"
    for each in connectivity["by_database"]:
        database, connected, needed = each["database"], each["connected"], each["needed"]
        yield f"   {database:<8} {connected}/{needed} hệ thống có nhu cầu đã kết nối | of {needed} systems in need {connected} connected"
    for language in ("vi", "en"):
        yield f"   {rule_text(connectivity['rule'], language)}"


def rule_text(rule: Any, language: str) -> str:  # Any: a text, or texts by language
    """Return the rule of a figure in a language."""
    return str(rule.get(language, rule)) if isinstance(rule, Mapping) else str(rule)


def addresses(found: Mapping[str, str]) -> Iterator[str]:
    """Yield the addresses that can be tried."""
    yield from heading("Địa chỉ", "Addresses")
    for name, address in found.items():
        yield f"   {name:<14} {address}"


def curl_lines(
    base: str, clients: Mapping[str, Credentials], admin: Credentials, examples: Mapping[str, str]
) -> Iterator[str]:
    """Yield lines that can be pasted into a shell."""
    town, commune, land = clients[TOWN], clients[COMMUNE], clients[LAND]
    yield from heading("Gọi thử", "Try it")
    yield "# token: một cửa tỉnh | provincial one-stop shop"
    yield _token_line("TOKEN", base, town)
    system = " ".join(f"-H '{name}: {value}'" for name, value in SYSTEM.items())
    yield f"curl -s -H \"Authorization: Bearer $TOKEN\" {system} '{base}{ENTERPRISE}?msdn={examples['msdn']}'"
    yield ""
    yield "# có cán bộ và thủ tục | with officer and procedure"
    yield _token_line("TOKEN", base, commune)
    officer = " ".join(f"-H '{name}: {value}'" for name, value in OFFICER.items())
    body = f"-H 'Content-Type: application/json' -d '{{\"maSoBhxh\": \"{examples['maSoBhxh']}\"}}'"
    yield f'curl -s -H "Authorization: Bearer $TOKEN" {officer} {body} {base}{HOUSEHOLD}'
    yield ""
    yield "# thử nghiệm: tự đặt độ trễ (mock-delay) hay lỗi (mock-fault) | sandbox: order delays and faults"
    yield _token_line("TOKEN", base, land)
    query = f"soDinhDanh={examples['soDinhDanh']}"
    yield f"curl -s -H \"Authorization: Bearer $TOKEN\" -H 'mock-delay: 1' '{base}{PARCELS}?{query}'"
    yield ""
    yield "# quản trị | administration"
    yield _token_line("ADMIN", base, admin)
    yield f"curl -s -H \"Authorization: Bearer $ADMIN\" '{base}/admin/v1/connectivity?unit={PROVINCE}'"


def _token_line(name: str, base: str, who: Credentials) -> str:
    pick = "python3 -c 'import json, sys; print(json.load(sys.stdin)[\"access_token\"])'"
    return f"{name}=$(curl -s -u '{who.client}:{who.secret}' -d grant_type=client_credentials {base}/token | {pick})"
