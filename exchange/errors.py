"""What an exchange refuses, in its own words; ``api.problems`` alone decides how HTTP says it."""


class ExchangeRefusal(Exception):
    """Base of every refusal that a caller can do something about; the text says what."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
