"""The log file of several processes, and the command that shows it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buttress.cli import cli
from buttress.telemetry import log_file, recent_lines, working_for
from buttress.telemetry.shared_file import SharedFile

WRITER = """
import logging, sys
from pathlib import Path
from buttress.telemetry import log_file, shared_file
file = log_file(Path(sys.argv[1]))
file.maxBytes, file.backupCount = 8_000, 50
log = logging.getLogger("writer")
log.propagate = False
log.addHandler(file)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    log.warning("wrote", extra={"writer": sys.argv[2], "number": number})
"""
LINES = 600


def test_processes_that_write_to_one_file_lose_no_line_when_it_starts_anew(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name, str(LINES)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in ("a", "b", "c")
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        _, said = writer.communicate(timeout=60)
        assert (writer.returncode, said) == (0, "")
    files = [file for file in tmp_path.iterdir() if file.suffix != ".lock"]
    written = [json.loads(line) for file in files for line in file.read_text().splitlines()]

    assert len(files) > 10
    assert {(entry["writer"], entry["number"]) for entry in written} == {
        (name, number) for name in "abc" for number in range(LINES)
    }
    assert len(written) == 3 * LINES


def test_a_file_that_was_taken_away_is_made_anew(tmp_path: Path) -> None:
    file = log_file(tmp_path)
    assert isinstance(file, SharedFile)
    record = logging.makeLogRecord({"msg": "wrote", "levelname": "INFO"})
    file.emit(record)
    (tmp_path / "buttress.log").rename(tmp_path / "taken.log")
    file.emit(record)
    file.close()
    assert len(recent_lines(tmp_path).lines) == 1


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BUTTRESS_HOME", str(tmp_path))
    file = log_file(tmp_path / "logs")
    for number, level in enumerate(("INFO", "WARNING", "ERROR")):
        with working_for(request_id=f"request-{number}", job_id="7c1d" if number == 1 else None):
            file.emit(
                logging.makeLogRecord(
                    {"name": "shop", "msg": f"line {number}", "levelname": level, "order": number}
                )
            )
    file.close()
    return tmp_path


def printed(*options: str) -> str:
    done = CliRunner().invoke(cli, ["logs", *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_shows_the_last_lines_the_oldest_first(home: Path) -> None:
    told = printed()
    assert told.index("line 0") < told.index("line 1") < told.index("line 2")
    assert "order=2" in told
    assert "line 0" not in printed("-n", "2")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--level", "warning"], {1, 2}),
        (["--request", "request-2"], {2}),
        (["--job", "7c1d"], {1}),
        (["--logger", "shop"], {0, 1, 2}),
        (["--logger", "uvicorn"], set()),
    ],
)
def test_the_command_finds_lines(home: Path, options: list[str], found: set[int]) -> None:
    lines = [json.loads(line) for line in printed("--json", *options).splitlines()]
    assert {line["order"] for line in lines} == found


def test_the_command_follows_what_others_write(home: Path) -> None:
    command = [sys.executable, "-m", "buttress", "logs", "--follow", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        told = [following.stdout.readline() for _ in range(3)]
        file = log_file(home / "logs")
        writing = threading.Timer(
            0.1, file.emit, [logging.makeLogRecord({"msg": "news", "levelname": "INFO"})]
        )
        writing.start()
        began = time.monotonic()
        news = following.stdout.readline()
        following.terminate()
    file.close()
    assert len(told) == 3
    assert json.loads(news)["event"] == "news"
    assert time.monotonic() - began < 30
