"""Whom the embedded servers run as: PostgreSQL refuses root, and users without a name."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SYSTEM_USER = "buttress"


@dataclass(frozen=True)
class ServerUser:
    """Who owns the servers' files, and how a process becomes that user."""

    uid: int
    gid: int
    change: bool = False  # from root to another user
    namespace: bool = False  # stay who we are outside, be user `nobody` inside a namespace

    def as_specification(self) -> dict[str, int | bool]:
        """What the keeper needs to start a process as this user."""
        if self.change:
            return {"uid": self.uid, "gid": self.gid}
        return {"namespace": True} if self.namespace else {}


def server_user(folders: Iterable[Path]) -> ServerUser:
    """Who can run the servers whose programs and sockets lie in `folders`.

    An ordinary user runs them itself. For root it is the system user `buttress`, created when
    missing, if others may enter every folder on the way; otherwise root in a user namespace, where
    the servers see an ordinary user. So does a user whom no account names, as containers have them.
    No existing folder gets other permissions.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        return ServerUser(uid, gid, namespace=not _has_name(uid))
    if all(others_may_enter(folder) for folder in folders):
        account = _account() or _create_account()
        if account is not None:
            return ServerUser(account.pw_uid, account.pw_gid, change=True)
    return ServerUser(uid, gid, namespace=True)


def system_user_id() -> int | None:
    """The number of the system user, `None` when there is none."""
    account = _account()
    return account.pw_uid if account else None


def others_may_enter(folder: Path) -> bool:
    """Whether any user can reach what lies in `folder`."""
    folder = folder.resolve()
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None


def _create_account() -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is not None:
        # Fails where /etc is read-only or another process was faster: the look-up decides.
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            check=False,
            capture_output=True,
        )
    return _account()
