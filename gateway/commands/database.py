"""`lgsp database`: the schemas of the registry and the ledger."""

import anyio

from gateway.commands.access import Access
from gateway.commands.failures import Failed
from gateway.commands.node_settings import node_settings
from gateway.commands.say import Out
from gateway.settings import Settings


def upgrade() -> int:
    """Bring the databases to this program's schema, making them when they are not there. Safe to repeat."""
    settings, out = node_settings(), _out()
    with out.progress("Đang nâng cấp cơ sở dữ liệu", "Upgrading the databases"):
        _run(settings, "upgrade")
    out.say("Cơ sở dữ liệu đã đúng phiên bản.", "The databases have this program's schema.")
    return 0


def check() -> int:
    """Check that the databases have this program's schema; exit code 1 when they do not."""
    settings, out = node_settings(), _out()
    _run(settings, "check")
    out.say("Cơ sở dữ liệu đúng phiên bản.", "The databases have this program's schema.")
    return 0


def _out() -> Out:
    return Out(Access().settings().language)


def _run(settings: Settings, what: str) -> None:
    from gateway.starting import schema_told  # noqa: PLC0415  (it needs the connectors)
    from registry.errors import RegistryError, SchemaUnknown  # noqa: PLC0415  (SQLAlchemy is slow to import)
    from registry.sql.database import check_schema, location, upgrade  # noqa: PLC0415

    database = settings.database.get_secret_value() if settings.database else None
    try:
        if database is None:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        anyio.run(upgrade if what == "upgrade" else check_schema, location(database, settings.data_dir))
    except SchemaUnknown as error:
        raise Failed(*schema_told(error)) from error
    except (RegistryError, ValueError, OSError) as error:
        raise Failed(
            f"Cơ sở dữ liệu chưa dùng được: {error}", f"The database is not usable: {error}"
        ) from error
