"""A provider made from an OpenAPI description: described examples where they are the answer, else what the schema says."""

from typing import Any
from urllib.parse import parse_qsl

import orjson

from connectors.builtin.mock.facts import Schema
from connectors.builtin.mock.invent import Inventor
from connectors.builtin.mock.operations import MockOperation, operations_of, variables_of
from connectors.builtin.mock.question import MOST_MEMBERS, Questions, members
from connectors.builtin.mock.replies import rendered, said, sent
from connectors.contract import Call, DescribedOperation, Result, Unknown

_NOT_FOUND = 404


class OpenAPIProvider:
    """Answers by a description. Raises ValueError for one that leads nowhere."""

    def __init__(self, description: Schema, questions: Questions, *, prefers_examples: bool) -> None:
        self._description = description
        self._questions = questions
        self._prefers_examples = prefers_examples
        self._operations = operations_of(description)

    def answer(self, call: Call, name: str, body: bytes, example: str) -> Result:
        """Answer a call of the operation `name`."""
        found = self._find(call, name)
        if found is None:
            return said(_NOT_FOUND, "the description has no such operation")
        try:
            return self._answer(call, body, example, *found)
        except (ValueError, TypeError, AttributeError, KeyError):
            # A schema that is none: descriptions are other people's, and nobody checked this part before.
            return Unknown(reason="description", rubbish=True)

    def _answer(
        self, call: Call, body: bytes, example: str, operation: MockOperation, variables: dict[str, str]
    ) -> Result:
        asked = members(_document(body)) | dict(parse_qsl(call.query, max_num_fields=MOST_MEMBERS))
        # The service may have another path than the description, with variables of its own.
        asked |= (variables_of(call.path, call.template) or {}) | variables
        question = self._questions.about(asked, call, body)
        described = operation.by_name(example) or operation.by_question(
            question.asked, found=question.subject is not None
        )
        if described is None and self._prefers_examples:
            described = operation.usual()
        if described is not None:
            return rendered(described.status, described.media_type, described.value, {})
        if question.subject is None:
            return said(_NOT_FOUND, "nobody in the register")
        if operation.content is None:
            return sent(operation.status, b"", "")
        schema = operation.content.get("schema", {})
        inventor = Inventor(self._description, self._questions.seed, question, question.subject)
        return rendered(operation.status, operation.media_type, inventor.make(schema), schema)

    def _find(self, call: Call, name: str) -> tuple[MockOperation, dict[str, str]] | None:
        """Return the operation of this name, or else the one of the call's method and path."""
        by_path: tuple[MockOperation, dict[str, str]] | None = None
        for operation in self._operations:
            variables = variables_of(call.path, operation.path)
            if operation.name == name:
                return operation, variables or {}
            if variables is not None and operation.method == call.method and by_path is None:
                by_path = operation, variables
        return by_path

    def describe(self) -> list[DescribedOperation]:
        """Return the description's operations."""
        return [DescribedOperation(name=it.name, method=it.method, path=it.path) for it in self._operations]


def _document(body: bytes) -> Any:  # Any: JSON
    """Return a JSON body, None for anything else."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
