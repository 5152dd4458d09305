"""Reads for people and programs: one statement each, JSON made by PostgreSQL where it can be."""
