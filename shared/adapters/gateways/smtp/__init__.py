"""E-mail by SMTP: kept-alive connections, one text part, an envelope sender of its own for each attempt."""
