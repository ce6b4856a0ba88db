"""`buttress llm` on a real database and a scripted server."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from buttress import cli as terminal
from buttress.testing.models import Answer, Failure, ModelServer
from llm_world import A_CALL, KEY, OWN, PRICE, gateway

Captured = pytest.CaptureFixture[str]


def run(*arguments: str) -> int:
    """The exit code of `buttress llm …`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["buttress", "llm", *arguments])
        with pytest.raises(SystemExit) as caught:
            terminal.main()
    return int(caught.value.code or 0)


@pytest.fixture
def deployment(
    calls_url: str, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The settings of a deployment whose models are at the server; gives its folder."""
    with gateway(calls_url):
        pass
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "COLUMNS": "40",
        "DATABASE_URL": calls_url,
        "REDIS_URL": "redis://127.0.0.1:1",
        "BUTTRESS_HOME": str(tmp_path / "var"),
        "BUTTRESS_LLM__MODEL": OWN,
        "BUTTRESS_LLM__BASE_URL": model_server.url,
        "BUTTRESS_LLM__API_KEY": KEY,
        "BUTTRESS_LLM__PRICES": json.dumps(PRICE),
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_an_answer_appears_and_is_counted(
    deployment: Path, model_server: ModelServer, capsys: Captured
) -> None:
    model_server.script(Answer(pieces=("[bold]Oak", " :tree:")))

    assert run("ask", "Name a tree") == 0

    printed = capsys.readouterr()
    assert printed.out == "[bold]Oak :tree:\n"
    assert f"{OWN}, 11 tokens in, 7 out, {A_CALL:.6f} USD" in printed.err
    assert run("usage", "--by", "model,purpose") == 0
    told = capsys.readouterr()
    assert OWN in told.out, told
    line = next(line for line in told.out.splitlines() if line.startswith(OWN))
    assert line.split()[:7] == [OWN, "buttress.ask", "1", "0", "0", "11", "7"]


def test_usage_goes_to_a_file(deployment: Path, capsys: Captured) -> None:
    assert run("ask", "Name a tree") == 0

    assert run("usage", "--by", "app", "--export", "usage.json") == 0

    (row,) = json.loads((deployment / "usage.json").read_text())
    assert (row["app"], row["calls"], row["input_tokens"]) == ("buttress", 1, 11)


def test_no_calls_are_no_calls(deployment: Path, capsys: Captured) -> None:
    assert run("usage") == 0
    assert capsys.readouterr().out == "no calls\n"


@pytest.mark.parametrize("options", [[], ["--export", "usage.csv"]])
def test_usage_before_a_migration_tells_what_to_run(
    deployment: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{deployment / 'empty.db'}")

    assert run("usage", *options) == 1

    assert "buttress migrate" in capsys.readouterr().err


def test_a_group_that_is_none_is_bad_input(deployment: Path, capsys: Captured) -> None:
    assert run("usage", "--by", "moon") == 65
    assert "Groups are day, provider, model" in capsys.readouterr().err


def test_models_tell_who_can_be_asked_and_never_a_key(
    deployment: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("BUTTRESS_LLM__FALLBACK", "openai:gpt-4o-mini, nobody:x")

    assert run("models", "perplexity:sonar") == 0

    told = capsys.readouterr().out
    lines = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line.split()}
    assert lines["gemini"][0] == "yes"
    assert lines["openai"][0] == "no"
    assert lines[OWN] == ["1.", "1", "2"]
    assert lines["openai:gpt-4o-mini"] == ["2.", "0.15", "0.6"]
    assert lines["nobody:x"] == ["3.", "unknown", "unknown"]
    assert lines["perplexity:sonar"] == ["-", "1", "1"]
    assert KEY not in told


def test_a_key_that_is_wrong_is_a_setting_that_is_wrong(
    deployment: Path, model_server: ModelServer, capsys: Captured
) -> None:
    model_server.script(Failure(401, "invalid_api_key"))

    assert run("ask", "Name a tree") == 78

    told = capsys.readouterr().err
    assert "does not accept the key" in told
    assert "BUTTRESS_LLM__API_KEY" in told
    assert KEY not in told
