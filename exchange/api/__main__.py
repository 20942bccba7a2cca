"""Writes the OpenAPI document that is committed beside this: ``python -m exchange.api``."""

from exchange.api.app import assemble
from exchange.api.document import COMMITTED, text_of
from exchange.api.quota import Quota

COMMITTED.write_text(text_of(assemble(Quota())), encoding="utf-8")
