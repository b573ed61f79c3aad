"""The contract's tests of what is written down: settings, and secrets that show nowhere."""

import base64
import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from connectors.contract import Connector
from connectors.errors import ConnectorError
from connectors.testing.proxy import Fault
from connectors.testing.stage import Stage
from connectors.testing.subject import ContractTests


class WordTests(ContractTests):
    """Settings are strict, frozen, described and readable for long; secrets are in no text."""

    async def test_unknown_settings_are_refused(self, stage: Stage) -> None:
        document = {**self.settings(stage.address), "surprise-of-the-kit": 1}

        assert "surprise-of-the-kit" in _flaws(self.connector, document), "an unknown setting is taken"

    async def test_settings_are_frozen(self, stage: Stage) -> None:
        settings = stage.checked(self.settings(stage.address))
        for name in type(settings).model_fields:
            with pytest.raises(ValidationError, match="frozen"):
                setattr(settings, name, "x")

    async def test_settings_are_described(self, stage: Stage) -> None:
        schema = self.connector.Settings.model_json_schema()
        silent = [name for name, it in schema.get("properties", {}).items() if not it.get("description")]

        assert schema.get("additionalProperties") is False, "the schema lets unknown settings pass"
        assert not silent, f"settings without a description: {silent}"
        json.dumps(schema)

    async def test_settings_are_stored_as_json_and_read_again(self, stage: Stage) -> None:
        document = dict(self.settings(stage.address))
        stored = json.loads(json.dumps(document))

        assert stage.checked(stored) == stage.checked(document)

    async def test_settings_stored_earlier_are_readable(self, stage: Stage) -> None:
        for document in self.stored_settings:
            flaws = _flaws(self.connector, document)
            assert not flaws, f"settings that nodes hold are no longer taken: {flaws}"

        is_first = self.connector.version in ("0", "1", "0.1", "1.0")
        assert self.stored_settings or is_first, (
            f"version {self.connector.version} is not the first: list settings of earlier versions in stored_settings"
        )

    async def test_no_secret_shows_anywhere(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        if not self.secrets:
            pytest.skip("its settings name no secret")
        caplog.set_level(logging.DEBUG)
        document = self.settings(stage.address)
        settings = stage.checked(document)
        shown = [repr(settings), settings.model_dump_json(), json.dumps(document)]
        for fault in (
            None,
            Fault(kind="reset"),
            Fault(kind="rubbish", instead=self.rubbish),
            Fault(kind="cut", after=1),
        ):
            stage.proxy.play(fault)
            shown += await _seen(stage, stage.make())
        await stage.proxy.refuse()
        shown += await _seen(stage, stage.make())
        shown += [caplog.text, *stage.log.lines]

        for name, secret in self.secrets.items():
            for form in _forms(secret):
                places = [text[:200] for text in shown if form in text]
                assert not places, (
                    f"the secret {name!r} shows in {[place.replace(form, '***') for place in places]}"
                )


async def _seen(stage: Stage, connector: Connector) -> list[str]:
    """Return all that somebody may see of a connector that is opened, called, tested and closed."""
    shown: list[str] = []
    try:
        for act in (
            connector.open,
            lambda: stage.ask(connector, seconds=1.0),
            connector.check,
            connector.describe,
        ):
            try:
                shown.append(repr(await act()))
            except ConnectorError as error:
                shown += traceback.format_exception(error)
            shown += [repr(connector), str(connector), repr(getattr(connector, "__dict__", ""))]
    finally:
        await connector.close()
    return shown


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as it is commonly written for the wire."""
    yield secret
    yield quote(secret, safe="")
    for start in range(3):  # as the tail of a longer text in base64, whatever stands before it
        coded = base64.b64encode(b"x" * start + secret.encode()).decode()
        yield coded[4 if start else 0 : len(coded) - 4]


def _flaws(connector: type[Connector], document: Mapping[str, Any]) -> str:  # Any: settings
    try:
        connector.Settings.model_validate(document)
    except ValidationError as error:
        return "; ".join(
            f"{'/'.join(map(str, flaw['loc']))}: {flaw['msg']}"
            for flaw in error.errors(include_url=False, include_input=False, include_context=False)
        )
    return ""
