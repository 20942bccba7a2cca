"""Signed bytes: strict CBOR, signature suites, keys and the one form of COSE_Sign1 that is read."""
