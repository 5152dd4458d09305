"""A generic SMS provider over HTTP: batches, signed requests and receipts, query by our reference."""
