"""Kafka as transport, at least once: PostgreSQL is the truth, no Kafka transactions."""
