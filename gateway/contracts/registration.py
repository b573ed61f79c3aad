"""Whether a version's contract can be checked by, with its transforms: asked before the version is taken in."""

from collections.abc import Sequence

from anyio import to_thread

from gateway.contracts.compiled import bad_contracts
from gateway.transforms.examples import FindList, TransformChecks
from registry.entities import Version
from registry.errors import Flaw


class VersionChecks:
    """Finds what the data plane could not make ready of a version, off the event loop."""

    def __init__(self, transforms: TransformChecks) -> None:
        self._transforms = transforms

    async def __call__(self, version: Version, find_list: FindList) -> Sequence[Flaw]:
        """Return what is wrong with the schemas that messages are checked by, with the transforms and examples."""
        flaws: list[Flaw] = []
        if version.checks.request != "off" or version.checks.reply != "off":
            flaws = await to_thread.run_sync(_flaws, version)
        return [*flaws, *await self._transforms(version, find_list)]


def _flaws(version: Version) -> list[Flaw]:
    found = [Flaw(error.pointer, "contract-refused", error.message) for error in bad_contracts(version)]
    return list(dict.fromkeys(found))  # a shared schema is in the way of every operation that uses it
