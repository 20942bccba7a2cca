"""Bytes of vehicle buses and receivers to readings. Pure: no input byte raises out of here."""
