"""All that is read off one CAN bus: frames to observations."""

from dataclasses import dataclass, field

from edge_agent.decode import j1939, obd
from edge_agent.decode.gnss_on_can import GnssOnCan, is_navigation
from edge_agent.decode.iso_tp import IsoTp
from edge_agent.decode.j1939_transport import CONNECTION_MANAGEMENT, DATA_TRANSFER, Transport
from edge_agent.decode.vin import vin_of_j1939, vin_of_obd
from edge_agent.observation import Observation

_PGN_VEHICLE_IDENTIFICATION = 65_260


@dataclass(slots=True)
class BusDecoder:
    """Frames of one bus. Listening only: nothing is ever sent."""

    frames: int = 0
    _transport: Transport = field(default_factory=Transport)
    _iso_tp: IsoTp = field(default_factory=IsoTp)
    _gnss: GnssOnCan = field(default_factory=GnssOnCan)

    def frame(
        self, arbitration_id: int, extended: bool, data: bytes, at_ms: float
    ) -> Observation | None:
        """Take a data frame stamped ``at_ms``; None when it says nothing that is sampled."""
        self.frames += 1
        if extended:
            identifier = j1939.read_identifier(arbitration_id)
            if j1939.knows(identifier.pgn):
                readings = j1939.decode(identifier.pgn, identifier.source, data)
                return Observation(at_ms, readings) if readings else None
            if identifier.pgn in (CONNECTION_MANAGEMENT, DATA_TRANSFER):
                return self._transported(identifier, data, at_ms)
            if is_navigation(identifier.pgn):
                return self._gnss.navigation_frame(identifier, data, at_ms)
        answering = obd.answering_address(arbitration_id, extended)
        if answering is not None:
            return self._answer(answering, data, at_ms)
        return None if extended else self._gnss.standard_frame(arbitration_id, data, at_ms)

    def _transported(
        self, identifier: j1939.Identifier, data: bytes, at_ms: float
    ) -> Observation | None:
        if identifier.pgn == CONNECTION_MANAGEMENT:
            self._transport.connection(identifier.source, identifier.destination, data, at_ms)
            return None
        message = self._transport.packet(identifier.source, identifier.destination, data, at_ms)
        if message is None:
            return None
        if message.pgn == _PGN_VEHICLE_IDENTIFICATION:
            vin = vin_of_j1939(message.data)
            return Observation(at_ms, vin=vin) if vin else None
        readings = j1939.decode(message.pgn, message.source, message.data)
        return Observation(at_ms, readings) if readings else None

    def _answer(self, address: int, data: bytes, at_ms: float) -> Observation | None:
        message = self._iso_tp.frame(address, data, at_ms)
        if message is None:
            return None
        vin = vin_of_obd(message)
        if vin is not None:
            return Observation(at_ms, vin=vin)
        readings = obd.decode(address, message)
        return Observation(at_ms, readings) if readings else None
