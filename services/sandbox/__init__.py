"""A mail server and an SMS provider to try the suite against: a process of its own that keeps what it was given."""
