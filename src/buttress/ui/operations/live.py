"""What the parts of a page share that are shown anew by themselves."""

from __future__ import annotations

from buttress.access import Identity, Permission, acting, require
from buttress.ui.connection import wait_if_lost
from buttress.ui.current import signed_in


def still(permission: Permission) -> Identity:
    """Who looks, as they are now, if that is still allowed.

    A fragment runs without the page around it: without this it would go on for somebody whose role
    was changed meanwhile. Raises `NotSignedIn`, `Forbidden`, and `Waiting` while the database is
    away.
    """
    wait_if_lost()
    identity = signed_in()
    with acting(identity):
        return require(permission)
