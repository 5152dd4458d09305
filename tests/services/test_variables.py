"""A variable of ours that nobody reads is refused by its name, and its value is told nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.settings import CannotStart
from services.variables import refuse_unknown
from tests.services.commands import run_to_end

SECRET = "postgresql://u:hidden@127.0.0.1/x"
TOLD = "ARREARS_DATABSE_URL is no variable of ours; nearest is ARREARS_DATABASE_URL"


@pytest.mark.parametrize(
    ("command", "before"),
    [
        ("services.local", "arrears: "),
        ("services.api", "arrears api: "),
        ("services.scheduler", "arrears scheduler: "),
        ("services.notifier", "arrears notifier: "),
        ("services.sandbox", "sandbox: "),
        ("services.cli laws", "arrears: "),
    ],
)
async def test_no_process_starts_with_a_misspelt_variable(tmp_path: Path, command: str, before: str) -> None:
    home = str(tmp_path / "home")
    root = Path(__file__).parents[2]
    ended = await run_to_end(*command.split(), cwd=root, ARREARS_HOME=home, ARREARS_DATABSE_URL=SECRET)
    assert ended == (1, "", f"{before}{TOLD}\n")
    assert not (tmp_path / "home").exists()


def test_what_others_read_is_accepted() -> None:
    everybodys = dict.fromkeys(
        ("ARREARS_SANDBOX_KNOBS", "ARREARS_LEASE", "ARREARS_KAFKA_HOME", "ARREARS_TEST_HOME"), ""
    )
    refuse_unknown({**everybodys, "arrears_home": "", "PATH": "", "ARREARSX": ""})


def test_all_are_named_and_a_guess_is_only_made_where_one_is_near() -> None:
    with pytest.raises(CannotStart) as caught:
        refuse_unknown({"ARREARS_QQQ": "hidden", "ARREARS_LOGLEVEL": "hidden"})
    told = str(caught.value)
    assert "ARREARS_QQQ is no variable of ours" in told
    assert "ARREARS_LOGLEVEL is no variable of ours; nearest is ARREARS_LOG_LEVEL" in told
    assert "hidden" not in told
    assert "\n" not in told


def test_the_name_of_a_secret_file_is_looked_at_as_well(tmp_path: Path) -> None:
    (tmp_path / "ARREARS_SMS_SECRT").write_text("hidden")
    (tmp_path / "keys.json").write_text("{}")
    with pytest.raises(CannotStart, match=r"ARREARS_SMS_SECRT in ARREARS_SECRETS_DIR .* nearest is ARREARS_SMS_SECRET"):
        refuse_unknown({"ARREARS_SECRETS_DIR": str(tmp_path)})


def test_what_kubernetes_says_of_a_service_called_arrears_is_not_ours() -> None:
    refuse_unknown(
        {
            "ARREARS_SERVICE_HOST": "10.0.0.1",
            "ARREARS_CONSOLE_SERVICE_PORT": "8000",
            "ARREARS_SERVICE_PORT_HTTP": "8000",
            "ARREARS_PORT": "tcp://10.0.0.1:8000",
            "ARREARS_PORT_8000_TCP": "tcp://10.0.0.1:8000",
            "ARREARS_PORT_8000_TCP_ADDR": "10.0.0.1",
        }
    )
    with pytest.raises(CannotStart, match="ARREARS_PORT "):
        refuse_unknown({"ARREARS_PORT": "8000"})
