"""A socket is watched without sending anything."""

import os
import socket

from buttress.db.socket_watch import SocketWatch


def test_a_socket_is_readable_when_something_arrived_or_the_other_side_is_gone():
    ours, theirs = socket.socketpair()
    watch = SocketWatch(ours.fileno())
    assert not watch.is_readable()

    theirs.send(b"x")
    assert watch.is_readable()
    ours.recv(1)
    assert not watch.is_readable()

    theirs.close()
    assert watch.is_readable()
    ours.close()


def test_a_closed_descriptor_counts_as_readable():
    read, write = os.pipe()
    watch = SocketWatch(read)
    os.close(read)
    os.close(write)

    assert watch.is_readable()
