"""``haulproof trip``: what a reader does by hand, over the API."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.commands.credentials import read_credentials
from exchange.commands.files import check_can_write
from exchange.commands.http import Api
from exchange.commands.options import AsJson, CredentialsFile, time_ms, time_text
from exchange.commands.printing import print_object, print_table
from exchange.exits import WrongUsage
from exchange.private_files import write_private

app = typer.Typer(help="Trips and their evidence.", no_args_is_help=True)

_PAGE = 1_000

Vehicle = Annotated[str | None, typer.Option("--vehicle", help="Of this vehicle alone.")]
Carrier = Annotated[str | None, typer.Option("--carrier", help="Of this carrier alone.")]
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="From then on.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before then.")]


class FileForm(StrEnum):
    """How much an evidence file shows."""

    TRIP = "trip"
    FULL = "full"


@app.command("list")
def list_trips(
    vehicle: Vehicle = None,
    carrier: Carrier = None,
    from_: From = None,
    to: To = None,
    credentials: CredentialsFile = None,
    as_json: AsJson = False,
) -> None:
    """Trips that your organisation may read.

    Example: haulproof trip list --vehicle v-1 --credentials insurer.json
    """
    with Api(read_credentials(credentials)) as api:
        items, derived_to = _all_trips(
            api,
            vehicle=vehicle,
            carrier=carrier,
            from_=time_text(from_, "--from"),
            to=time_text(to, "--to"),
        )
    if as_json:
        print_object({"items": items, "derived_to": derived_to}, True)
        return
    columns = ("id", "carrier", "vehicle", "start", "end", "odometer km", "GNSS km", "findings")
    none = "No trip is open to you here: ask the carrier for a grant, or drive one."
    print_table(columns, [_row(item) for item in items], whole=("id",), if_empty=none)


@app.command("get")
def get_trip(
    trip: Annotated[str, typer.Argument(metavar="ID")],
    credentials: CredentialsFile = None,
    as_json: AsJson = False,
) -> None:
    """One trip.

    Example: haulproof trip get 0a3c5e... --credentials insurer.json
    """
    with Api(read_credentials(credentials)) as api:
        print_object(api.get(f"/v1/trips/{_id(trip)}"), as_json)


@app.command("evidence")
def evidence(
    out: Annotated[
        Path, typer.Option("--out", readable=False, metavar="FILE", help="Where the file goes.")
    ],
    trip: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    form: Annotated[
        FileForm | None,
        typer.Option("--form", help="trip unless told; full: with all that it was derived from."),
    ] = None,
    vehicle: Annotated[
        str | None, typer.Option("--vehicle", help="Segments of a vehicle instead of a trip.")
    ] = None,
    carrier: Carrier = None,
    from_: From = None,
    to: To = None,
    credentials: CredentialsFile = None,
    as_json: AsJson = False,
) -> None:
    """Pull a file that haulproof verify checks offline: of a trip, or of a vehicle's segments.

    Example: haulproof trip evidence ID --form full --out trip.evidence --credentials insurer.json
    """
    path, params = _place(trip, form, vehicle, carrier, from_, to)
    check_can_write(out)
    with Api(read_credentials(credentials)) as api:
        data = api.get_bytes(path, **params)
    write_private(out, data)
    print_object({"evidence_file": str(out), "bytes": len(data)}, as_json)


def _place(
    trip: str | None,
    form: FileForm | None,
    vehicle: str | None,
    carrier: str | None,
    from_: str | None,
    to: str | None,
) -> tuple[str, dict[str, str | None]]:
    """Path and parameters of the file that is asked for; ``WrongUsage`` for neither or both."""
    if trip is not None and (vehicle, carrier, from_, to) == (None, None, None, None):
        return f"/v1/trips/{_id(trip)}/evidence", {"form": (form or FileForm.TRIP).value}
    if trip is not None or vehicle is None:
        raise WrongUsage("give a trip's id alone, or --vehicle with --from and --to")
    if form is not None:
        raise WrongUsage("--form is of a trip: leave it out, segments have one form")
    if from_ is None or to is None:
        raise WrongUsage("segments of a vehicle need --from and --to")
    if time_ms(from_, "--from") >= time_ms(to, "--to"):
        raise WrongUsage(f"--from {from_} is not before --to {to}: exchange them")
    return "/v1/segments/evidence", {
        "vehicle": vehicle,
        "carrier": carrier,
        "from": time_text(from_, "--from"),
        "to": time_text(to, "--to"),
    }


def _id(text: str) -> str:
    if len(text) != 32 or not set(text.lower()) <= set("0123456789abcdef"):
        raise WrongUsage(f"{text} is no trip's id: see haulproof trip list")
    return text.lower()


def _all_trips(api: Api, **wanted: str | None) -> tuple[list[dict[str, Any]], int]:
    items: list[dict[str, Any]] = []
    derived_to: list[int] = []
    cursor: str | None = None
    while True:
        page = api.get("/v1/trips", cursor=cursor, limit=str(_PAGE), **wanted)
        items += page["items"]
        derived_to.append(page["derived_to"])
        cursor = page["next_cursor"]
        if cursor is None:
            return items, derived_to[0]


def _row(item: dict[str, Any]) -> list[object]:
    distance = item["distance"] or {"odometer_m": None, "gnss_m": None}
    findings = [f"{one['severity']}: {one['code']}" for one in item["findings"] or ()]
    return [
        item["id"],
        item["carrier"],
        item["vehicle"],
        (item["start"] or {"at": None})["at"],
        (item["end"] or {"at": None})["at"],
        _km(distance["odometer_m"]),
        _km(distance["gnss_m"]),
        findings or None,
    ]


def _km(metres: float | None) -> str | None:
    return None if metres is None else f"{metres / 1_000:.2f}"
