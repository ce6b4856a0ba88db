"""The jail: what a function may do in it, and what becomes of one that does more."""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

import prisoners
from buttress.errors import BadInput, ConfigurationError, Refused, Unavailable
from buttress.jail import isolation, jailed
from buttress.jail.keeper import keeper
from buttress.jail.seccomp import MACHINES, filter_code

linux = pytest.mark.skipif(sys.platform != "linux", reason="namespaces and filters are Linux's")


def refused(function, *args, **limits) -> Refused:
    with pytest.raises(Refused) as caught:
        jailed(function, *args, **limits)
    return caught.value


def test_a_function_gets_its_arguments_and_its_file_and_gives_its_result(tmp_path):
    (tmp_path / "letter.txt").write_text("Olá")

    assert jailed(prisoners.add, [1, b"\0"], ["ü", None]) == [1, b"\0", "ü", None]
    with (tmp_path / "letter.txt").open("rb") as letter:
        letter.read()
        assert jailed(prisoners.text_of, file=letter) == "Olá"


def test_a_result_is_checked_against_the_type_asked_for():
    class Pair(msgspec.Struct):
        a: int

    assert jailed(prisoners.add, 1, 2, into=int) == 3
    assert refused(prisoners.add, 1, 2, into=Pair).cause == "result"


@pytest.mark.parametrize(
    ("function", "args", "limits", "cause", "words"),
    [
        (
            prisoners.take_memory,
            [300],
            {"memory_bytes": 200_000_000},
            "memory",
            "200,000,000 bytes",
        ),
        (prisoners.spin, [], {"cpu_seconds": 1}, "cpu", "computing for 1 seconds"),
        (prisoners.sleep, [60], {"seconds": 0.3}, "time", "0.3 seconds"),
        (prisoners.abort, [], {}, "crash", "SIGABRT"),
        (prisoners.fault, [], {}, "crash", "SIGSEGV"),
        (prisoners.leave, [3], {}, "crash", "exit code 3"),
        (prisoners.talk_much, [2], {"result_bytes": 1_000_000}, "output", "1,000,000 bytes"),
        (prisoners.stumble, [], {}, "error", "ValueError: xref at 9"),
    ],
)
def test_each_way_to_fail_is_told_by_its_cause(function, args, limits, cause, words):
    error = refused(function, *args, **limits)

    assert error.cause == cause
    assert words in error.message
    assert jailed(prisoners.add, 1, 1) == 2


def test_bad_input_that_the_function_names_arrives_with_its_hint():
    with pytest.raises(BadInput, match="page 3 has no table") as caught:
        jailed(prisoners.refuse)

    assert caught.value.hint == "Choose another page."
    bomb = refused(prisoners.refuse_a_bomb)
    assert (bomb.cause, bomb.hint) == ("bomb", "Leave it out.")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x00\x00\x03abc",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\xc1",
        b"\x80\x04\x95" * 50,
        b"\x00\x00\x00\x04\x93\x93",
    ],
)
def test_whatever_a_child_says_in_place_of_an_answer_is_refused(raw):
    assert refused(prisoners.forge, raw, seconds=2).cause in ("result", "output", "crash")


@linux
@pytest.mark.parametrize(
    "attempt",
    [
        ["connect", "127.0.0.1", 22],
        ["datagram", "127.0.0.1", 53],
        ["read", "/etc/passwd"],
        ["read", "/proc/self/environ"],
        ["start"],
        ["fork"],
        ["signal_to", 1],
        ["signal_to", os.getpid()],
    ],
)
def test_nothing_outside_can_be_reached(attempt):
    assert jailed(prisoners.attempt, *attempt) == "PermissionError"


@linux
def test_nothing_can_be_read_written_or_removed_but_the_file_given(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"before")

    for crime in ("read", "write", "remove"):
        assert jailed(prisoners.attempt, crime, str(secret)) == "PermissionError"
    with secret.open("r+b") as file, pytest.raises(Refused):
        jailed(prisoners.write_descriptor, file=file)

    assert secret.read_bytes() == b"before"


@linux
def test_code_can_be_read_and_what_lies_beside_it_cannot(tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    for name in (".env", "module.py", "package/__init__.py", "package/words.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "data.db").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def read(name):
        return jailed(prisoners.attempt, "read", str(tmp_path / name))

    assert [read(name) for name in ("module.py", "package/__init__.py", "package/words.txt")] == [
        "done"
    ] * 3
    assert [read(name) for name in (".env", "var/data.db")] == ["PermissionError"] * 2
    assert jailed(prisoners.attempt, "read", os.__file__) == "done"


def test_one_that_never_comes_to_its_turn_is_told(monkeypatch):
    monkeypatch.setattr("buttress.jail._turns", threading.BoundedSemaphore(1))
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(jailed, prisoners.sleep, 1.0)
        time.sleep(0.3)
        with pytest.raises(Unavailable, match=r"its turn within 0\.2 seconds"):
            jailed(prisoners.add, 1, 1, seconds=0.2)
        assert running.result() == "awake"


@linux
def test_a_bomb_of_entities_ends_by_itself_or_by_its_limits(tmp_path):
    bomb = tmp_path / "bomb.xml"
    lines = [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol" * 1000}">' for n in range(10)]
    bomb.write_text(f"<!DOCTYPE x [{''.join(lines)}]><x>&e9;</x>")

    with bomb.open("rb") as file:
        error = refused(prisoners.parse, file=file, memory_bytes=200_000_000, cpu_seconds=2)

    assert error.cause in ("error", "memory", "cpu")


@linux
def test_the_environment_is_empty_and_threads_are_allowed(monkeypatch):
    monkeypatch.setenv("BUTTRESS_CANARY", "secret")

    assert "BUTTRESS_CANARY" not in jailed(prisoners.environment)
    assert jailed(prisoners.threads)
    assert isolation() >= {"files", "system calls", "memory"}


@linux
def test_a_child_that_is_stopped_is_gone_soon_after():
    refused(prisoners.sleep, 60, seconds=0.2)

    children = Path(f"/proc/{keeper._process.pid}/task/{keeper._process.pid}/children")
    deadline = time.monotonic() + 3
    while children.read_text().strip() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not children.read_text().strip()


def test_a_keeper_that_died_is_replaced():
    jailed(prisoners.add, 1, 1)
    keeper._process.kill()
    keeper._process.wait()

    assert jailed(prisoners.add, 1, 2) == 3


def test_a_function_that_has_no_name_to_import_is_refused():
    def inner():
        return 1

    for function in (inner, lambda: 1):
        with pytest.raises(ConfigurationError, match="cannot be called in a jail"):
            jailed(function)


def test_a_warm_call_takes_little_time():
    jailed(prisoners.add, 1, 1)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        jailed(prisoners.add, 1, 1)
        took.append(time.perf_counter() - began)

    assert statistics.median(took) < 0.25  # 6 ms alone; a machine that is busy takes longer


@linux
def test_the_jail_holds_for_an_ordinary_user_too():
    """Root is left behind first, so that nothing is owed to its rights."""
    program = (
        "import os, sys, json\n"
        f"sys.path += {[path for path in sys.path if path.startswith(sys.prefix) or 'tests' in path or path.endswith('src')]!r}\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "import prisoners\n"
        "from buttress.jail import jailed, isolation\n"
        "tried = [jailed(prisoners.attempt, *what) for what in (\n"
        "    ('connect', '127.0.0.1', 22), ('start',), ('fork',), ('read', '/etc/passwd'))]\n"
        "print(json.dumps([sorted(isolation()), *tried]))\n"
    )
    version = f"/usr/bin/python3.{sys.version_info.minor}"
    for interpreter in (sys.executable, version):  # ours may lie in a folder of root's
        if Path(interpreter).exists():
            command = [interpreter, "-I", "-c", program]
            done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=60)
            if done.returncode == 0:
                held, *attempts = msgspec.json.decode(done.stdout)
                assert {"files", "memory", "system calls"} <= set(held)
                assert attempts == ["PermissionError"] * 4
                return
    pytest.skip(f"no interpreter that others may run: {done.stderr[-200:]}")


@linux
def test_the_jail_holds_where_a_container_forbids_namespaces():
    """As Docker does: the call `unshare` fails for this process and all it starts."""
    program = (
        "import ctypes, json, platform\n"
        "from buttress.jail import seccomp, system\n"
        "number = seccomp.MACHINES[platform.machine()][1]['unshare']\n"
        "one = seccomp._one\n"
        "code = one(0x20, 0) + one(0x15, number, no=1) + one(6, 0x50001) + one(6, 0x7FFF0000)\n"
        "filter = seccomp._Program(4, code)\n"
        "assert system.prctl(system.NO_NEW_PRIVILEGES, 1) == 0\n"
        "assert system.prctl(22, 2, ctypes.addressof(filter)) == 0\n"
        "from buttress.jail import isolation, jailed\n"
        f"import sys; sys.path.append({str(Path(prisoners.__file__).parent)!r})\n"
        "import prisoners\n"
        "tried = [jailed(prisoners.attempt, *what) for what in (\n"
        "    ('connect', '127.0.0.1', 22), ('datagram', '127.0.0.1', 53), ('read', '/etc/passwd'))]\n"
        "print(json.dumps([sorted(isolation()), *tried]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr

    held, *attempts = msgspec.json.decode(done.stdout)
    assert held == ["files", "memory", "system calls"]
    assert attempts == ["PermissionError"] * 3


def test_the_filter_jumps_only_to_its_own_instructions():
    for machine in MACHINES:
        code = filter_code(machine, 4711)
        instructions = [code[place : place + 8] for place in range(0, len(code), 8)]
        for place, one in enumerate(instructions):
            assert place + 1 + max(one[2], one[3]) <= len(instructions) - (one[0] != 0x06)


def test_many_threads_may_call_at_once():
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda n: jailed(prisoners.add, n, 1), range(40))) == list(
            range(1, 41)
        )


def test_the_parent_grows_little_while_children_take_much():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    jailed(prisoners.add, 1, 1)
    before = resident()
    with tempfile.TemporaryFile() as file:
        file.truncate(1 << 30)  # a hole: no disk is used
        assert refused(prisoners.text_of, file=file, memory_bytes=256_000_000).cause == "memory"
    refused(prisoners.talk_much, 200, result_bytes=1_000_000)
    assert resident() - before < 50_000_000
