"""The names of all our environment variables. A misspelt one would leave its setting on the default, unnoticed.

One process accepts what another reads: they are often given the same environment. None of them may import the settings
of all, so the names stand here; ``tests/architecture/test_pages.py`` compares them with the settings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from services.settings import CannotStart

PREFIX = "ARREARS_"
FOLDER = "ARREARS_SECRETS_DIR"
_SETTINGS = {
    "ARREARS_": """
        SECRETS_DIR ENVIRONMENT HOME DATABASE_URL LOG_LEVEL GRACE KEY_FILE KEYS MANUAL_CLOCK WORKER_NAME
        BANK_NAME HOTLINE LEASE STATEMENT_FONT SANDBOX DURABLE SAMPLE_CUSTOMERS""",
    "ARREARS_API_": "HOST PORT LOG_READS POOL_SIZE",
    "ARREARS_AUTH_": "ISSUER AUDIENCE ROLES_CLAIM JWKS_URL JWKS_FILE",
    "ARREARS_KAFKA_": """
        BOOTSTRAP SECURITY CA_FILE CERT_FILE KEY_FILE SASL_MECHANISM USERNAME PASSWORD PARTITIONS REPLICATION
        CREATE_TOPICS GROUP_PREFIX TOPIC_PREFIX SESSION_MS BATCH""",
    "ARREARS_METRICS_": "HOST PORT",
    "ARREARS_NOTIFIER_": "POOL_SIZE",
    "ARREARS_SANDBOX_": "HOME HOST HTTP_PORT SMTP_PORT CALLBACK_URL KEY_ID SECRET KNOBS",
    "ARREARS_SCHEDULER_": "POOL_SIZE",
    "ARREARS_SMS_": """
        URL KEY_ID SECRET CALLBACK_SECRET BATCH_SIZE CONCURRENCY IDEMPOTENT QUERY_FOR QUERY_DELAY CONNECT_TIMEOUT
        ANSWER_TIMEOUT""",
    "ARREARS_SMTP_": """
        HOST PORT SECURITY CA_FILE USERNAME PASSWORD SENDER SENDER_NAME BOUNCE_DOMAIN CONCURRENCY BATCH_SIZE
        CONNECT_TIMEOUT ANSWER_TIMEOUT""",
}
SETTINGS = frozenset(prefix + name for prefix, names in _SETTINGS.items() for name in names.split())
TOOLS = frozenset({"ARREARS_KAFKA_HOME", "ARREARS_REQUIRE", "ARREARS_TEST_HOME"})  # of `make kafka` and of the tests

# What Kubernetes tells every container of a service whose name begins with "arrears". The value is looked at in one
# case only, because ARREARS_PORT is also what a person might write for ARREARS_API_PORT.
_OF_KUBERNETES = re.compile(
    r"ARREARS_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_ADDRESS_OF_KUBERNETES = re.compile(r"(tcp|udp|sctp)://")


def refuse_unknown(environment: Mapping[str, str] = os.environ) -> None:
    """Raises CannotStart for names that begin as ours do and are not, with the nearest of ours; never with a value."""
    found = [*_unknown(environment), *_unknown_files(environment.get(FOLDER))]
    if found:
        raise CannotStart("; ".join(found))


def _unknown(environment: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(environment):
        if _is_strange(name) and not _is_of_kubernetes(name, environment[name]):
            yield _complaint(name, name)


def _unknown_files(folder: str | None) -> Iterator[str]:
    if folder and Path(folder).is_dir() and os.access(folder, os.R_OK):  # the settings say what is wrong with it
        for name in sorted(path.name for path in Path(folder).iterdir()):
            if _is_strange(name):
                yield _complaint(name, f"{name} in {FOLDER}")


def _is_strange(name: str) -> bool:
    """Settings are read whatever the case of their names."""
    return name.upper().startswith(PREFIX) and name.upper() not in SETTINGS | TOOLS


def _is_of_kubernetes(name: str, value: str) -> bool:
    if name.endswith("_PORT") and _ADDRESS_OF_KUBERNETES.match(value):
        return True
    return _OF_KUBERNETES.fullmatch(name) is not None


def _complaint(name: str, place: str) -> str:
    near = get_close_matches(name.upper(), sorted(SETTINGS), n=1, cutoff=0.75)
    return f"{place} is no variable of ours" + (f"; nearest is {near[0]}" if near else "")
