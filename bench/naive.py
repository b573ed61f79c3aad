"""The naive build: a FastAPI proxy with the policies written the way people write them.

Dependencies check the token's signature on every request, every policy asks the database through SQLAlchemy, every
exchange gets its audit row and its Prometheus labels, and an HTTP client of the httpx family forwards. Nothing here is
slowed down on purpose; it is what a careful team builds in a week.
"""

import argparse
import asyncio
import importlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from prometheus_client import Counter, Histogram, generate_latest
from sqlalchemy import event, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

CONSUMER = "bench-consumer"
SERVICE = "bench"
DAY_LIMIT = 10**12
ISSUER = "naive"
CLAIMS = jwt.JWTClaimsRegistry(iss={"essential": True, "value": ISSUER})

EXCHANGES = Counter(
    "naive_exchanges", "Exchanges by consumer, service and status.", ["consumer", "service", "status"]
)
SECONDS = Histogram("naive_seconds", "Time per exchange.", ["consumer", "service"])


class Table(DeclarativeBase):
    """The tables of the naive build."""


class Grant(Table):
    """Who may call what, and how often a day."""

    __tablename__ = "grants"
    consumer: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    per_day: Mapped[int]


class Spent(Table):
    """How often a consumer has called a service on a day."""

    __tablename__ = "spent"
    consumer: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]


class Audit(Table):
    """One exchange."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    consumer: Mapped[str]
    service: Mapped[str]
    path: Mapped[str]
    status: Mapped[int]
    seconds: Mapped[float]


plain = APIRouter()
policed = APIRouter()
METHODS = ["GET", "POST", "PUT", "DELETE"]


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    """Open a database session for one request."""
    async with request.app.state.sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


def consumer(request: Request) -> str:
    """Check the token and return whose it is."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        raise HTTPException(401)
    try:
        claims = jwt.decode(token, request.app.state.key, algorithms=["ES256"]).claims
        CLAIMS.validate(claims)
    except (JoseError, ValueError) as error:
        raise HTTPException(401) from error
    return str(claims["sub"])


async def grant(service: str, caller: Annotated[str, Depends(consumer)], db: Session) -> Grant:
    """Find the grant of the caller."""
    found = await db.scalar(select(Grant).where(Grant.consumer == caller, Grant.service == service))
    if found is None:
        raise HTTPException(403)
    await db.commit()  # ends the read, so that the write below does not start from an old state
    return found


async def within_quota(allowed: Annotated[Grant, Depends(grant)], db: Session) -> Grant:
    """Spend one call of the day."""
    today = datetime.now(UTC).date().isoformat()
    row = {"consumer": allowed.consumer, "service": allowed.service, "day": today}
    await db.execute(insert(Spent).values(**row, count=0).on_conflict_do_nothing())
    spend = update(Spent).filter_by(**row).values(count=Spent.count + 1).returning(Spent.count)
    used = (await db.execute(spend)).scalar_one()
    await db.commit()
    if used > allowed.per_day:
        raise HTTPException(429)
    return allowed


async def forward(request: Request, path: str) -> Response:
    """Send the request on and return the answer."""
    state = request.app.state
    headers = {
        name: value for name, value in request.headers.items() if name not in {"host", "authorization"}
    }
    reply = await state.http.request(
        request.method,
        f"{state.upstream}/{path}",
        params=request.query_params,
        headers=headers,
        content=await request.body(),
    )
    return Response(reply.content, reply.status_code, media_type=reply.headers.get("content-type"))


@plain.api_route("/{service}/1.0/{path:path}", methods=METHODS)
async def proxy_plain(service: str, path: str, request: Request) -> Response:
    """Forward, and nothing else."""
    return await forward(request, path)


@policed.api_route("/{service}/1.0/{path:path}", methods=METHODS)
async def proxy(
    service: str, path: str, request: Request, allowed: Annotated[Grant, Depends(within_quota)], db: Session
) -> Response:
    """Forward what is allowed, and keep a record of it before answering."""
    began = time.perf_counter()
    response = await forward(request, path)
    seconds = time.perf_counter() - began
    who, status = allowed.consumer, response.status_code
    db.add(
        Audit(at=datetime.now(UTC), consumer=who, service=service, path=path, status=status, seconds=seconds)
    )
    await db.commit()
    EXCHANGES.labels(who, service, str(status)).inc()
    SECONDS.labels(who, service).observe(seconds)
    return response


@policed.get("/audit/count")
async def audit_count(db: Session) -> dict[str, int]:
    """Count the audit rows."""
    return {"records": (await db.scalar(select(func.count()).select_from(Audit))) or 0}


@plain.post("/token")
@policed.post("/token")
async def token(request: Request) -> dict[str, str]:
    """Issue a token to the one consumer there is."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": CONSUMER, "iat": now, "exp": now + 3600}
    return {"access_token": jwt.encode({"alg": "ES256"}, claims, request.app.state.key)}


@policed.get("/metrics")
async def metrics() -> Response:
    """Say the counters."""
    return Response(generate_latest(), media_type="text/plain")


def create_app(upstream: str, database: str, client_library: str, *, policies: bool) -> FastAPI:
    """Return the proxy, with its policies or without."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        library: Any = importlib.import_module(client_library)  # Any: httpx or httpx2, with the same names
        engine = create_async_engine(f"sqlite+aiosqlite:///{database}")
        event.listen(engine.sync_engine, "connect", _settle)
        app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
        app.state.key = ECKey.generate_key("P-256")
        app.state.upstream = upstream
        await _fill(engine, app.state.sessions)
        async with library.AsyncClient(limits=library.Limits(max_connections=100), timeout=30) as client:
            app.state.http = client
            yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)
    app.include_router(policed if policies else plain)
    return app


def _settle(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def _fill(engine: AsyncEngine, sessions: async_sessionmaker[AsyncSession]) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Table.metadata.create_all)
    async with sessions.begin() as db:
        db.add(Grant(consumer=CONSUMER, service=SERVICE, per_day=DAY_LIMIT))


def main() -> None:
    """Serve the proxy on a port."""
    parser = argparse.ArgumentParser(prog="bench.naive", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--client", default="httpx2", choices=["httpx2", "httpx"])
    parser.add_argument("--policies", action="store_true")
    given = parser.parse_args()
    app = create_app(given.upstream, given.database, given.client, policies=given.policies)
    config = uvicorn.Config(app, port=given.port, access_log=False, log_level="warning")
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
