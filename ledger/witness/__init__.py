"""C2SP tlog-witness without its HTTP: what a log sends, and when a witness may cosign it.

Pure: the request's bytes, the logs that a witness knows, the judgement. State, keys and HTTP are
in ``haulproof.log.witness``; the log that asks is ``exchange.witnesses``.
"""
