"""Trying transforms on a sample, for whoever writes them."""

from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.responses import Response

from gateway.api.answers import answer
from gateway.api.bodies import LARGE
from gateway.api.decisions import check_role
from gateway.api.routes import Answer, Body, Route
from gateway.api.visit import Visit
from registry.documents import parse, parse_as
from registry.entities import CodeList, Entity, Kind, TransformSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformTrial(Entity):
    """Transforms as a version declares them, and a sample of the message, as text."""

    transforms: Annotated[tuple[TransformSpec, ...], Field(min_length=1, max_length=10)]
    sample: Annotated[str, StringConstraints(max_length=1_000_000)]


async def run_trial(visit: Visit) -> Response:
    """Run the transforms on the sample, and answer what is read, what comes out, or what is wrong and where."""
    wanted = parse_as(TransformTrial, await visit.document())

    async def find_list(slug: str) -> CodeList | None:
        found = await visit.parts.registry.find(Kind.CODE_LIST, slug)
        entity = parse(Kind.CODE_LIST, found.document) if found else None
        return entity if isinstance(entity, CodeList) else None

    trial = await visit.parts.transforms.run_trial(wanted.transforms, wanted.sample.encode(), find_list)
    return answer(
        {
            "output": None if trial.output is None else trial.output.decode(),
            "media_type": trial.media_type,
            "reads": trial.reads,
            "fault": None if trial.fault is None else asdict(trial.fault),
        }
    )


ROUTES = (
    Route(
        method="POST",
        path="/admin/v1/transforms/try",
        action="version.add",
        tag=Kind.VERSION.value,
        check=check_role,
        run=run_trial,
        summary="Run transforms on a sample",
        description="Nothing is kept. `reads` lists the fields that the first transform reads of the sample, when it knows; `fault` says which transform (counted from 0) failed, whether by its settings, its mapping or the document, and at which line and column.",
        body=Body(
            types={"application/json": "TransformTrial"},
            example={
                "transforms": [
                    {"kind": "jsonata", "settings": {"mapping": '{"ten": $name(hoTen, "upper")}'}}
                ],
                "sample": '{"hoTen": "Nguyễn Văn A"}',
            },
            limit=LARGE,
        ),
        answer=Answer(schema="TriedTransforms"),
        problems=(413, 415, 422),
    ),
)
