"""`lgsp client`: credentials by which systems and administrators get tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gateway.commands.access import Access, AsJson, Node, run, segment
from gateway.commands.credentials import Place, place_for
from gateway.commands.failures import WrongUsage
from gateway.commands.say import Json, Out, ProblemTold

KIND = "clients"
NOT_GIVEN = Access()

Name = Annotated[str, Parameter(help="The client's name, or its id.")]
Save = Annotated[
    Path | None,
    Parameter(
        help="Write id and secret to this file, for its owner only, and do not show the secret. LGSP_CLIENT_FILE reads it."
    ),
]


def create(  # noqa: PLR0913  (one option each)
    name: Annotated[
        str | None, Parameter(help="A name that is not taken yet; made from the role or system without it.")
    ] = None,
    *,
    role: Annotated[
        str | None,
        Parameter(
            help="For the admin API: node-admin, organisation-admin, service-owner, observer, auditor."
        ),
    ] = None,
    system: Annotated[
        str | None, Parameter(help="For the data plane: the system that calls, by code or id.")
    ] = None,
    organisation: Annotated[str | None, Parameter(help="Whose administrator or service owner it is.")] = None,
    environment: Annotated[str, Parameter(help="production or sandbox.")] = "production",
    network: Annotated[
        tuple[str, ...],
        Parameter(help="A network that it may come from; may stand several times.", negative=""),
    ] = (),
    save: Save = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Add a client and show its secret, once.

    The first administrator is made on the node's machine: lgsp client create --role node-admin --local
    """
    if (role is None) == (system is None):
        raise WrongUsage(
            "Hãy nêu --role (cho API quản trị) hoặc --system (để gọi dịch vụ), đúng một trong hai.",
            "Give --role (for the admin API) or --system (to call services), exactly one of the two.",
        )
    document: Json = {
        "role": role,
        "system": system,
        "organisation": organisation,
        "environment": environment,
        "allowed_networks": list(network),
    }

    document = {k: v for k, v in document.items() if v is not None}

    async def work(node: Node, out: Out) -> None:
        with _place(save, new=True) as place:
            made = await _add(node, document, name, default=role or system or "")
            _show_secret(out, made, place)

    run(access, work, as_json=as_json)
    return 0


async def _add(node: Node, document: Json, name: str | None, *, default: str) -> Json:
    """Add the client under its name, or under the first free one that is made from `default`."""
    if name is not None:
        return await node.post(KIND, document | {"name": name})
    for number in count(1):
        try:
            made = default if number == 1 else f"{default}-{number}"
            return await node.post(KIND, document | {"name": made})
        except ProblemTold as told:
            flaws = told.problem.get("errors", ())
            if [(flaw.get("pointer"), flaw.get("code")) for flaw in flaws] != [("/name", "taken")]:
                raise
    raise AssertionError("counting does not end")


def rotate(
    name: Name,
    *,
    overlap_seconds: Annotated[int, Parameter(help="How long the old secret goes on working.")] = 86_400,
    end_tokens: Annotated[
        bool, Parameter(help="End every token made so far at once, as after a leak.", negative="")
    ] = False,
    save: Save = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """Give a client a new secret and show it, once."""

    async def work(node: Node, out: Out) -> None:
        known = await _get(node, name)
        document = {"overlap_seconds": overlap_seconds, "end_tokens": end_tokens}
        with _place(save, new=False) as place:
            made = await node.post(f"{KIND}/{known['id']}/rotate", document, version=known["version"])
            _show_secret(out, made, place)

    run(access, work, as_json=as_json)
    return 0


def disable(name: Name, *, access: Access = NOT_GIVEN, as_json: AsJson = False) -> int:
    """Stop a client within a second, with every token that it has."""

    async def work(node: Node, out: Out) -> None:
        known = await _get(node, name)
        done = await node.post(f"{KIND}/{known['id']}/actions/disable", {}, version=known["version"])
        if as_json:
            out.result(done)
        out.say(f"Đã khóa ứng dụng {known['label']}.", f"The client {known['label']} is disabled.")

    run(access, work, as_json=as_json)
    return 0


def search(
    *,
    q: Annotated[str | None, Parameter(name="--search", help="Text in their names.")] = None,
    access: Access = NOT_GIVEN,
    as_json: AsJson = False,
) -> int:
    """List the clients, by name."""

    async def work(node: Node, out: Out) -> None:
        items = [item async for item in node.pages(KIND, q=q)]
        if as_json:
            out.result(items)
            return
        columns = [
            ("Tên", "Name"),
            ("Mã", "Id"),
            ("Vai trò", "Role"),
            ("Môi trường", "Environment"),
            ("Trạng thái", "Status"),
        ]
        out.table(columns, [_row(item) for item in items])

    run(access, work, as_json=as_json)
    return 0


def _row(item: Json) -> tuple[object, ...]:
    document = item["document"]
    return item["label"], item["id"], document["role"], document["environment"], document["status"]


async def _get(node: Node, name: str) -> Json:
    return await node.get(f"{KIND}/{segment(name)}")


@contextmanager
def _place(save: Path | None, *, new: bool) -> Iterator[Place | None]:
    if save is None:
        yield None
        return
    with place_for(save, new=new) as place:
        yield place


def _show_secret(out: Out, made: Json, place: Place | None) -> None:
    saved = _saved(out, made, place)
    if saved is not None:
        made = made | {"client_secret": None, "saved": saved}
    if out.as_json:
        out.result(made)
        return
    out.say(f"Ứng dụng:  {made['label']}", f"Client:    {made['label']}")
    out.say(f"client_id: {made['client_id']}", f"client_id: {made['client_id']}")
    if saved is not None:
        out.say(
            f"Bí mật:    đã ghi vào {saved}, chỉ chủ sở hữu đọc được; dùng: export LGSP_CLIENT_FILE={saved}",
            f"Secret:    saved in {saved}, for its owner only; to use it: export LGSP_CLIENT_FILE={saved}",
        )
    if made["client_secret"] is not None:
        out.say(
            f"Bí mật:    {made['client_secret']}\nBí mật chỉ hiện một lần này; hãy cất giữ ngay.",
            f"Secret:    {made['client_secret']}\nThe secret is shown this once only: keep it now.",
        )


def _saved(out: Out, made: Json, place: Place | None) -> str | None:
    """Write the secret to its place and return that; None when it has to be shown, or there is none."""
    if place is None or made["client_secret"] is None:
        return None
    try:
        place.write(made["label"], made["client_id"], made["client_secret"])
    except OSError as error:
        # The secret exists now and nowhere else: better shown than lost.
        out.note(f"Không ghi được {place.file}: {error}", f"{place.file} cannot be written: {error}")
        return None
    return str(place.file)
