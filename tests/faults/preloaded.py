"""What every process under test has loaded before it is forked."""

import exchange.api.process
import exchange.broker_auth
import exchange.intake.process
import exchange.transparency.signer
import exchange.trips.process
from tests.faults import parts, points

__all__ = ["exchange", "parts", "points"]
