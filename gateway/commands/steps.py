"""`lgsp step`, `service`, `grant` and `version`: the steps of an object's life, and the test of its endpoints."""

from collections.abc import Mapping
from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run, segment
from gateway.commands.compare import told as changes_in_short
from gateway.commands.failures import WrongUsage
from gateway.commands.say import Json, Out

NOT_GIVEN = Access()

Service = Annotated[str, Parameter(help="The service's name, or its id.")]
Grant = Annotated[str, Parameter(help="The grant as CONSUMER/SERVICE, or its id.")]
Reason = Annotated[str, Parameter(help="Why; it stands in the registry's history.")]
Note = Annotated[str, Parameter(help="Why; both sides can read it.")]
MaybeNote = Annotated[str | None, Parameter(help="A word on the decision.")]
OneConsumer = Annotated[str | None, Parameter(help="Only for this consumer: a system by code or id.")]


def step(
    kind: Annotated[str | None, Parameter(help="The kind of object, e.g. services.")] = None,
    label: Annotated[str | None, Parameter(help="The object's code, name or id.")] = None,
    step: Annotated[str | None, Parameter(help="The step to take.")] = None,
    *,
    given: Annotated[
        tuple[str, ...], Parameter(name="--set", help="NAME=VALUE that the step takes.", negative="")
    ] = (),
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Take one step of an object's life, such as `lgsp step services traCuu block --set reason=…`.

    Without anything it lists all steps with what they take. The object's version is read and sent along, so that
    nothing is changed that was not seen.
    """
    if kind is None:
        _list_steps(access, as_json=as_json)
        return 0
    plural, steps = _steps_of(kind)
    if label is None or step is None or step not in steps:
        names = ", ".join(steps)
        raise WrongUsage(
            f"Hãy nêu: lgsp step {plural} MÃ BƯỚC. Các bước: {names}.",
            f"Give: lgsp step {plural} LABEL STEP. The steps are: {names}.",
        )
    return take(access, (plural, label, step), _pairs(given), as_json=as_json)


def _list_steps(access: Access, *, as_json: bool) -> None:
    out = Out(access.settings().language, as_json=as_json)
    rows = [(kind, step, takes) for kind, steps in known_steps().items() for step, takes in steps.items()]
    if as_json:
        out.result([{"kind": kind, "step": step, "takes": takes} for kind, step, takes in rows])
        return
    columns = [
        ("Loại", "Kind"),
        ("Bước", "Step"),
        ("Nhận (trong ngoặc: không bắt buộc)", "Takes (in brackets: may)"),
    ]
    out.table(columns, [(kind, step, _shown(takes)) for kind, step, takes in rows])
    out.say(
        "Ví dụ: lgsp step services traCuu block --set reason='Sự cố dữ liệu'",
        "For example: lgsp step services traCuu block --set reason='An incident'",
    )


def _shown(takes: Mapping[str, bool]) -> str:
    return " ".join(name if required else f"[{name}]" for name, required in takes.items()) or "-"


def known_steps() -> dict[str, dict[str, dict[str, bool]]]:
    """Return kind -> step -> what it takes -> whether it must be given."""
    from registry.documents import schema_of  # noqa: PLC0415  (help does without the registry)
    from registry.register.steps import INTERNAL_STEPS, STEPS  # noqa: PLC0415  (as above)

    found: dict[str, dict[str, dict[str, bool]]] = {}
    for kind, steps in STEPS.items():
        for name, parameters in steps.items():
            if name not in INTERNAL_STEPS:
                shape = schema_of(parameters)
                shape = shape["$defs"][shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape
                required = shape.get("required", ())
                # The node looks up by itself under which delegation it decides.
                takes = {field: field in required for field in shape["properties"] if field != "delegation"}
                found.setdefault(kind.value, {})[name] = takes
    return found


def _steps_of(kind: str) -> tuple[str, Mapping[str, object]]:
    known = known_steps()
    for name, steps in known.items():
        if kind in {name, name.removesuffix("s")}:
            return name, steps
    raise WrongUsage(
        f"Loại «{kind}» không có bước nào. Các loại: {', '.join(known)}.",
        f"There are no steps of {kind!r}. The kinds are: {', '.join(known)}.",
    )


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise WrongUsage(f"«{text}» phải có dạng TÊN=GIÁ-TRỊ.", f"{text!r} must be NAME=VALUE.")
        pairs[name] = value
    return pairs


def take(
    access: Access, what: tuple[str, str, str], document: Mapping[str, str | None], *, as_json: bool
) -> int:
    """Take a step: kind, label and name of it, with what it takes; and tell what has changed."""
    kind, label, name = what
    given = {key: value for key, value in document.items() if value is not None}

    async def work(node: Node, out: Out) -> None:
        known = await node.get(f"{kind}/{segment(label)}")
        done = await node.post(f"{kind}/{known['id']}/actions/{name}", given, version=known["version"])
        if as_json:
            out.result(done)
            return
        _tell(out, name, known, done)
        if done.get("changes"):
            out.say(*changes_in_short(done["changes"]))

    run(access, work, as_json=as_json)
    return 0


def _tell(out: Out, name: str, before: Json, after: Json) -> None:
    from registry.diffs import differences  # noqa: PLC0415  (help does without the registry)
    from registry.entities import Kind  # noqa: PLC0415  (as above)

    place = f"{after['kind']} {after['label']}"
    out.say(
        f"{place}: {name} (bản {before['version']} -> {after['version']}, phiên bản danh bạ {after['revision']})",
        f"{place}: {name} (version {before['version']} -> {after['version']}, registry revision {after['revision']})",
    )
    for one in differences(Kind(after["kind"]), before["document"], after["document"]):
        line = f"  {one['pointer']}: {one['before']!r} -> {one['after']!r}"
        out.say(line, line)


# --- services -------------------------------------------------------------------------------------------


def block(
    name: Service,
    *,
    reason: Reason,
    consumer: OneConsumer = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Switch a service off within a second, for everybody or for one consumer; requests under way go on."""
    step = "block" if consumer is None else "block-consumer"
    return take(access, ("services", name, step), {"consumer": consumer, "reason": reason}, as_json=as_json)


def unblock(
    name: Service, *, consumer: OneConsumer = None, access: Access = NOT_GIVEN, as_json: AsJson = False
) -> int:
    """Switch a service on again, for everybody or for one consumer."""
    step = "unblock" if consumer is None else "unblock-consumer"
    return take(access, ("services", name, step), {"consumer": consumer}, as_json=as_json)


def plan_maintenance(
    name: Service,
    *,
    starts_at: Annotated[
        str, Parameter(name="--from", help="A time with its offset, 2027-01-10T22:00:00+07:00.")
    ],
    ends_at: Annotated[str, Parameter(name="--until", help="As above.")],
    note_vi: Annotated[str | None, Parameter(help="A word to callers, in Vietnamese.")] = None,
    note_en: Annotated[str | None, Parameter(help="The same in English.")] = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Announce when a service will not answer; callers are told when to come again."""
    document = {"starts_at": starts_at, "ends_at": ends_at, "note_vi": note_vi, "note_en": note_en}
    return take(access, ("services", name, "plan-maintenance"), document, as_json=as_json)


def cancel_maintenance(
    name: Service,
    *,
    starts_at: Annotated[str, Parameter(name="--from", help="When it would have begun.")],
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Take a maintenance window back, or end one that goes on."""
    return take(access, ("services", name, "cancel-maintenance"), {"starts_at": starts_at}, as_json=as_json)


# --- grants ---------------------------------------------------------------------------------------------


def grants(
    *,
    status: Annotated[str | None, Parameter(help="Only in this state, e.g. requested.")] = None,
    consumer: Annotated[str | None, Parameter(help="Only of this system, by code or id.")] = None,
    service: Annotated[str | None, Parameter(help="Only for this service, by name or id.")] = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """List grants, those that wait for a decision among them: --status requested."""

    async def work(node: Node, out: Out) -> None:
        wanted = {"status": status, "consumer": consumer, "service": service}
        items = [item async for item in node.pages("grants", **wanted)]
        if as_json:
            out.result(items)
            return
        columns = [
            ("Quyền", "Grant"), ("Trạng thái", "Status"), ("Đến", "Until"), ("Mã", "Id"), ("Căn cứ", "Basis"),
        ]  # fmt: skip
        out.table(columns, [_grant(item) for item in items])

    run(access, work, as_json=as_json)
    return 0


def _grant(item: Json) -> tuple[object, ...]:
    document = item["document"]
    return (
        item["label"],
        document["status"],
        document["valid_until"],
        item["id"],
        document["legal_basis"] or None,
    )


def approve(
    label: Grant, *, note: MaybeNote = None, access: Access = NOT_GIVEN, as_json: AsJson = False
) -> int:
    """Approve a grant that was requested by somebody else; the consumer may call within a second."""
    return take(access, ("grants", label, "approve"), {"note": note}, as_json=as_json)


def refuse(label: Grant, *, note: Note, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """Turn a request for a grant down."""
    return take(access, ("grants", label, "refuse"), {"note": note}, as_json=as_json)


def suspend(label: Grant, *, note: Note, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """Stop a grant for a while: calls are refused within a second, living tokens or not."""
    return take(access, ("grants", label, "suspend"), {"note": note}, as_json=as_json)


def resume(
    label: Grant, *, note: MaybeNote = None, access: Access = NOT_GIVEN, as_json: AsJson = False
) -> int:
    """Let a suspended grant hold again."""
    return take(access, ("grants", label, "resume"), {"note": note}, as_json=as_json)


def revoke(label: Grant, *, note: Note, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """End a grant for good; a new one has to be asked for."""
    return take(access, ("grants", label, "revoke"), {"note": note}, as_json=as_json)


# --- versions -------------------------------------------------------------------------------------------


def check(
    label: Annotated[str, Parameter(help="The version as SERVICE/VERSION, or its id.")],
    *,
    environment: Annotated[str | None, Parameter(help="production or sandbox; all without it.")] = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Test the connection to a version's endpoints: name, TCP, TLS, credentials, contract; exit code 1 when one fails."""

    async def work(node: Node, out: Out) -> Json:
        path = f"versions/{segment(label)}/check"
        found = await node.post(path, {}, environment=environment)
        if as_json:
            out.result(found)
            return found
        for endpoint in found["endpoints"]:
            out.say(*(f"{endpoint['environment']} ({endpoint['connector']}): {_good(endpoint['ok'])}",) * 2)
            columns = [("Bước", "Step"), ("Đạt", "OK"), ("ms", "ms"), ("Chi tiết", "Detail")]
            out.table(
                columns,
                [(it["step"], it["ok"], it["milliseconds"], it["detail"]) for it in endpoint["steps"]],
            )
        if not found["endpoints"]:
            out.say("Phiên bản không có điểm kết nối như vậy.", "The version has no such endpoint.")
        return found

    found = run(access, work, as_json=as_json)
    return 0 if all(endpoint["ok"] for endpoint in found["endpoints"]) else 1


def _good(ok: bool) -> str:  # noqa: FBT001  (the value itself is shown)
    return "ok" if ok else "not ok"
