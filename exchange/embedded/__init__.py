"""The embedded servers: PostgreSQL and NATS from their wheels, started and stopped by us."""
