"""The admin API keeps what its OpenAPI document promises, whatever is asked."""

import subprocess
import sys
from pathlib import Path

import requests

from admin_server import AdminServer, running_server, somebody

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SECONDS = 80


def check(server: AdminServer, folder: Path, *more: str) -> None:
    """Run every check of schemathesis, the same way each time."""
    outcome = subprocess.run(  # noqa: S603 - the command is written here
        [
            str(SCHEMATHESIS),
            "run",
            f"{server.admin}api/v1/openapi.json",
            "--checks=all",
            "--mode=all",
            "--phases=examples,coverage,fuzzing,stateful",
            "--max-examples=40",
            "--generation-deterministic",
            "--no-color",
            *more,
        ],
        check=False,
        capture_output=True,
        text=True,
        # It leaves files behind.
        cwd=folder,
        timeout=SECONDS,
    )
    assert outcome.returncode == 0, f"{outcome.stdout[-20000:]}\n{outcome.stderr[-4000:]}"


def test_everything_promised_is_kept_with_a_token(tmp_path: Path) -> None:
    token = "correct-horse-battery-staple"  # noqa: S105 - it guards nothing
    token_file = tmp_path / "token"
    token_file.write_text(token)
    with running_server(token_file) as server, somebody(server):
        check(server, tmp_path, f"--header=Authorization: Bearer {token}")


def test_everything_promised_is_kept_without_a_token(tmp_path: Path) -> None:
    with running_server() as server, somebody(server) as producers:
        check(server, tmp_path, "--exclude-method=DELETE")
        # Nobody was harmed by all that looking.
        for producer in producers:
            answer = requests.get(f"{server.admin}api/v1/peers/{producer}", timeout=SECONDS)
            assert answer.ok
