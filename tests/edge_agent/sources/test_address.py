import pytest

from edge_agent.sources.address import can_source, nmea_source
from edge_agent.sources.port import EndMark, SourceUrlRefused

END = EndMark(False, False)


@pytest.mark.parametrize(
    "url",
    ["socketcand://127.0.0.1:29536/can0", "socketcan:can0", "virtual:any?bitrate=250000"],
)
def test_buses_by_their_addresses(url: str) -> None:
    assert can_source(url, END, None).name == url.partition("?")[0]


@pytest.mark.parametrize(
    "url",
    [
        "can0",
        "",
        "socketcand://127.0.0.1/can0",
        "socketcand://127.0.0.1:99999/can0",
        "socketcand://127.0.0.1:29536",
        "socketcand://127.0.0.1:29536/can0 >< send",
        "socketcan:can0?bitrate=fast",
        "socketcan:can0?unknown=1",
        "https://example.com",
    ],
)
def test_what_is_no_bus_is_refused_with_the_forms_there_are(url: str) -> None:
    with pytest.raises(SourceUrlRefused, match=r"write|options"):
        can_source(url, END, None)


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:2947", "serial:/dev/ttyUSB0"])
def test_receivers_by_their_addresses(url: str) -> None:
    assert nmea_source(url, END, lambda: 0.0, True).name == url


@pytest.mark.parametrize("url", ["", "tcp://host", "serial:ttyUSB0", "serial:/dev/x?baud=fast"])
def test_what_is_no_receiver_is_refused_with_the_forms_there_are(url: str) -> None:
    with pytest.raises(SourceUrlRefused, match="write"):
        nmea_source(url, END, lambda: 0.0, True)
