"""Connectors as other people's packages bring them: installed in a folder, found by their entry points."""

from collections.abc import Mapping
from pathlib import Path

GOOD = """
from connectors.contract import Call, Capabilities, CheckStep, ConnectorSettings, Done
from connectors.message import Message


class Settings(ConnectorSettings):
    pass


class Good:
    kind = "{kind}"
    version = "3"
    capabilities = Capabilities()
    Settings = Settings

    def __init__(self, settings, context):
        pass

    async def open(self):
        pass

    async def call(self, call):
        return Done(status=200, reply=Message(b"good"))

    async def check(self):
        return [CheckStep(step="contract", ok=True)]

    async def describe(self):
        return ()

    async def drain(self):
        pass

    async def close(self):
        pass
"""


def install(
    folder: Path, package: str, source: str, kinds: Mapping[str, str], *, version: str = "1.0"
) -> None:
    """Install a package of one module; `kinds` says where in it each of its entry points leads."""
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(source, "utf-8")
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n", "utf-8")
    points = "".join(f"{kind} = {module}:{name}\n" for kind, name in kinds.items())
    (info / "entry_points.txt").write_text(f"[lgsp.connectors]\n{points}", "utf-8")


def a_good_one(kind: str) -> str:
    return GOOD.replace("{kind}", kind)


SPOILT = {
    "gone": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "unreadable": ("class Good(:", "SyntaxError: invalid syntax"),
    "raising": ("raise RuntimeError('no licence\\nfile')", "RuntimeError: no licence file"),
    "leaving": ("raise SystemExit(3)", "SystemExit: 3"),
    "nameless": ("class Other: pass", "AttributeError: module"),
    "function": ("def Good(settings, context): pass", "is a function, not a class"),
    "empty": ("class Good: pass", "lacks kind, version, capabilities, Settings, open, call"),
    "loose": (
        a_good_one("loose").replace("    pass\n\n\nclass", "    model_config = {'frozen': False}\n\n\nclass", 1),
        "Settings is not frozen",
    ),
    "lax": (
        a_good_one("lax").replace("    pass\n\n\nclass", "    model_config = {'extra': 'ignore'}\n\n\nclass", 1),
        "Settings takes unknown keys",
    ),
    "odd": (
        "from collections.abc import Callable\n\n"
        + a_good_one("odd").replace("    pass\n\n\nclass", "    work: Callable[[], None]\n\n\nclass", 1),
        "Settings has no JSON Schema (PydanticInvalidForJsonSchema)",
    ),
    "bare": (a_good_one("bare").replace("(ConnectorSettings)", "").replace("settings, context", "settings"),
             "Settings is not a ConnectorSettings; is not made from settings and context"),
    "blocking": (a_good_one("blocking").replace("async def call", "def call"), "call is not an async method"),
    "boastful": (
        a_good_one("boastful").replace("Capabilities()", "Capabilities(idempotence='always', max_in_flight=0)"),
        "capabilities.idempotence is none of native, by_key, none; capabilities.max_in_flight is",
    ),
    "alias": (a_good_one("other"), "says that its kind is 'other'"),
    "Bad_Kind": (a_good_one("Bad_Kind"), "kind is not lower-case letters"),
}  # fmt: skip
"""Kind -> source of a package that cannot be used, and how the reason begins."""


def install_spoilt(folder: Path) -> None:
    """Install every spoilt package, and a good one of the kind `good`."""
    for kind, (source, _) in SPOILT.items():
        install(folder, f"spoilt-{kind.lower().replace('_', '-')}", source, {kind: "Good"})
    install(folder, "good", a_good_one("good"), {"good": "Good"})
