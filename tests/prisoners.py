"""What tests run in the jail: honest work, crimes and accidents."""

import ctypes
import os
import socket
import time
from pathlib import Path

from buttress.errors import BadInput, Refused


def add(a, b):
    return a + b


def text_of(file):
    return file.read().decode()


def take_memory(megabytes):
    return len(b"x" * (megabytes << 20))


def spin():
    while True:
        pass


def sleep(seconds):
    time.sleep(seconds)
    return "awake"


def abort():
    os.abort()


def fault():
    ctypes.string_at(0)


def leave(code):
    os._exit(code)


def talk_much(megabytes):
    return b"x" * (megabytes << 20)


def refuse():
    raise BadInput("page 3 has no table", hint="Choose another page.")


def refuse_a_bomb():
    raise Refused("it unpacks to more than is read", cause="bomb", hint="Leave it out.")


def stumble():
    raise ValueError("xref at\n 9")


def environment():
    return dict(os.environ)  # noqa: TID251 — what must be empty


def attempt(what, *args):
    """The name of the error an attempt ends with, or "done"."""
    try:
        globals()[what](*args)
    except Exception as error:
        return type(error).__name__
    return "done"


def connect(host, port):
    socket.create_connection((host, port), timeout=2).close()


def datagram(host, port):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (host, port))


def read(path):
    Path(path).read_bytes()


def write(path):
    Path(path).write_bytes(b"crime")


def remove(path):
    Path(path).unlink()


def start():
    os.posix_spawn("/bin/true", ["true"], {})


def fork():
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)


def signal_to(pid):
    os.kill(pid, 0)


def write_descriptor(file):
    os.write(file.fileno(), b"crime")


def descriptors():
    return sorted(int(name) for name in os.listdir("/dev/fd"))


def forge(raw):
    """Send raw bytes to the parent in place of an answer."""
    for number in range(3, 20):
        try:
            os.fstat(number)
            os.write(number, raw)
        except OSError:
            continue
    os._exit(0)


def threads():
    import threading

    thread = threading.Thread(target=time.sleep, args=(0,))
    thread.start()
    thread.join()
    return True


def parse(file):
    from xml.etree import ElementTree

    return len(ElementTree.parse(file).getroot().text)
