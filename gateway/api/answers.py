"""How values are written in answers: one object, a page of them, a revision."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from registry.entities import Kind
from registry.stores import Revision, Stored

Json = dict[str, Any]
"""A JSON object on its way out."""


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Write a JSON answer. Nothing of the admin API may be kept by caches."""
    return Response(
        orjson.dumps(value, option=orjson.OPT_NAIVE_UTC),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def render_object(stored: Stored) -> Json:
    """Write an object as the API shows it: what is kept, with its version; digests of secrets left out."""
    return {
        "kind": stored.kind.value,
        "id": stored.id,
        "label": stored.label,
        "version": stored.version,
        "revision": stored.revision,
        "home_node": stored.home_node,
        "changed_at": stored.changed_at,
        "changed_by": stored.changed_by,
        "document": without_digests(stored.kind, stored.document),
    }


def without_digests(kind: Kind, document: Json) -> Json:
    """Leave out of a client what it proves itself with; of each secret its times stay."""
    if kind is not Kind.CLIENT:
        return document
    secrets = [
        {name: value for name, value in secret.items() if name != "digest"}
        for secret in document.get("secrets", ())
    ]
    return document | {"secrets": secrets}


def answer_object(stored: Stored, *, status: int = 200, more: Json | None = None) -> Response:
    """Answer one object with its strong ETag; with its address when it is new."""
    headers = {"ETag": etag(stored.version)}
    if status == 201:  # noqa: PLR2004  (Created)
        headers["Location"] = f"/admin/v1/{stored.kind.value}/{stored.id}"
    return answer(render_object(stored) | (more or {}), status, headers)


def moment(seconds: float) -> datetime:
    """Write epoch seconds as a time."""
    return datetime.fromtimestamp(seconds, UTC)


def etag(version: int) -> str:
    """Write a version as a strong ETag."""
    return f'"{version}"'


def answer_page(items: Sequence[Any], *, following: str | None, total: int) -> Response:
    """Answer one page: `next` is the cursor of the page after it, null on the last one."""
    return answer({"items": items, "next": following, "total": total})


def render_revision(revision: Revision) -> Json:
    """Write one revision: who changed what, when."""
    return {
        "number": revision.number,
        "at": revision.at,
        "author": revision.author,
        "author_name": revision.author_name,
        "via": revision.via,
        "changes": [dict(change) for change in revision.changes],
    }
