"""The assembled API."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from exchange.access import endpoints as feed
from exchange.api import auth, problems
from exchange.api.body_limit import BodyLimit
from exchange.api.context import Context, Exchange
from exchange.api.document import document
from exchange.api.quota import Quota, QuotaHeaders
from exchange.devices import endpoints as devices
from exchange.grants import endpoints as grants
from exchange.intake import endpoints as intake
from exchange.orgs import endpoints as orgs
from exchange.segments import endpoints as segments
from exchange.transparency import endpoints as transparency
from exchange.transparency import proof_endpoints as proofs
from exchange.trips import endpoints as trips

VERSION = "1"

_health = APIRouter(tags=["health"])


class Health(BaseModel):
    """The API answers and its database does."""

    status: str = "ok"


@_health.get("/healthz", summary="Whether requests can be answered", response_model=Health)
def healthz(exchange: Context) -> Health:
    """200 when the database answers, 503 otherwise."""
    with exchange.connection() as conn:
        conn.execute("SELECT 1")
    return Health()


def _operation_id(route: APIRoute) -> str:
    return f"{min(route.methods or {'GET'}).lower()}{route.path_format.replace('/', '-')}"


def make_app(exchange: Exchange) -> FastAPI:
    """The app of one exchange; it neither opens nor closes what the exchange holds."""
    app = assemble(exchange.quota)
    app.state.exchange = exchange
    return app


def assemble(quota: Quota) -> FastAPI:
    """The app without an exchange behind it: enough to describe it."""
    app = FastAPI(
        title="Haulproof exchange",
        version=VERSION,
        summary="Freight vehicle data that proves itself.",
        generate_unique_id_function=_operation_id,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        responses={
            "default": {"description": "A problem (RFC 9457)", "model": problems.ProblemDetails}
        },
    )
    for part in (orgs, devices, intake, grants, trips, segments, feed, transparency, proofs):
        app.include_router(part.router)
    app.include_router(_health)
    auth.install(app)
    problems.install(app)
    app.add_middleware(QuotaHeaders, quota=quota)
    app.add_middleware(BodyLimit)
    document(app)
    return app
