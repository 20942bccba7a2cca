"""The log alone, without intake: a database and a signer, what is appended, proved, published."""
