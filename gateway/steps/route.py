"""Step 2: what is asked for. Pure look-ups in the snapshot."""

import re
from datetime import UTC, datetime

from gateway.exchange import Exchange, Reason, Refusal
from gateway.views import ServiceView, VersionView

VERSION = re.compile(r"v?(\d+(?:\.\d+){0,2})")


def find_route(exchange: Exchange) -> None:
    """Fill in service, version and operation. Raises Refusal; what was found before it is kept for the record."""
    snapshot, request, record = exchange.snapshot, exchange.request, exchange.record
    name, _, rest = request.path[1:].partition("/")
    service = snapshot.services.get(name.lower())
    if service is None:
        raise route_unknown(name, exchange)
    exchange.service = service
    record.service, record.provider = service.id, service.provider
    if service.broken is not None:
        raise Refusal(Reason.QUARANTINED)
    version, path = find_version(service, rest)
    exchange.version = version
    record.version, record.national_database = version.id, version.national_database
    if version.status == "retired":
        raise Refusal(Reason.VERSION_RETIRED, version=version.number)
    if version.broken is not None:
        raise Refusal(Reason.QUARANTINED)
    if request.unfit is not None:
        raise request.unfit
    operation = version.operations.find(request.method, path)
    if isinstance(operation, frozenset):
        if operation:
            raise Refusal(Reason.METHOD_NOT_ALLOWED, allow=", ".join(sorted(operation)))
        raise Refusal(Reason.OPERATION_UNKNOWN, service=service.name, version=version.number)
    exchange.operation = operation
    record.operation = operation.name
    record.counts = operation.counts


def find_version(service: ServiceView, rest: str) -> tuple[VersionView, str]:
    """Return the version that an address means and the path that follows it.

    The second segment is a version if and only if it has the form of one; one that is not published is unknown,
    never an operation's path. Without one the default version answers.
    """
    segment, slash, path = rest.partition("/")
    match = VERSION.fullmatch(segment)
    if match is None:
        if service.default is None or service.default.status == "draft":
            raise Refusal(Reason.VERSION_UNKNOWN, service=service.name, version="")
        return service.default, "/" + rest
    version = service.versions.get(match[1])
    if version is None or version.status == "draft":
        raise Refusal(Reason.VERSION_UNKNOWN, service=service.name, version=segment)
    return version, slash + path or "/"


def path_below_version(exchange: Exchange) -> str:
    """Return the part of the request's path that the provider gets."""
    rest = exchange.request.path[1:].partition("/")[2]
    segment, slash, path = rest.partition("/")
    return slash + path or "/" if VERSION.fullmatch(segment) else "/" + rest


def check_open(exchange: Exchange) -> None:
    """Refuse calls while the service is blocked, for all or for one consumer, or under maintenance."""
    service, consumer = exchange.service, exchange.record.consumer
    if service is None:
        return
    if service.blocked is not None:
        raise Refusal(Reason.SERVICE_BLOCKED, note=service.blocked)
    if consumer in service.blocked_consumers:
        raise Refusal(Reason.CONSUMER_BLOCKED, note=service.blocked_consumers[consumer])
    if service.maintenance:
        now = datetime.now(UTC)
        for window in service.maintenance:
            if window.starts_at <= now < window.ends_at:
                raise Refusal(
                    Reason.MAINTENANCE,
                    retry_after=(window.ends_at - now).total_seconds(),
                    until=window.ends_at.isoformat(timespec="minutes"),
                )


def route_unknown(name: str, exchange: Exchange) -> Refusal:
    """Return the refusal of an unknown service, with a published one's name that is close to it."""
    wanted = name.lower()
    if 3 <= len(wanted) <= 63:  # noqa: PLR2004  (the length of a service name)
        for key, service in exchange.snapshot.services.items():
            if abs(len(key) - len(wanted)) <= 1 and _one_apart(key, wanted) and _is_published(service):
                return Refusal(Reason.ROUTE_UNKNOWN, did_you_mean=service.name)
    return Refusal(Reason.ROUTE_UNKNOWN)


def _is_published(service: ServiceView) -> bool:
    return service.default is not None and service.default.status in ("published", "deprecated")


def _one_apart(a: str, b: str) -> bool:
    """Say whether one edit (or one swap of neighbours) makes `a` of `b`."""
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    a, b = a[start:], b[start:]
    swapped = len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or swapped
