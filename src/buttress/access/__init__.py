"""People and what they may do: accounts, sign-ins, tokens, roles, the audit log.

Services take the session first and never commit, but for `signing_in.sign_in`: what counts against
guessing is committed before a password is looked at.
"""

from buttress.access.identity import Identity, Origin, acting, current, in_person, require
from buttress.access.roles import PERMISSIONS, ROLES, Permission, Role, permissions_of

__all__ = [
    "PERMISSIONS",
    "ROLES",
    "Identity",
    "Origin",
    "Permission",
    "Role",
    "acting",
    "current",
    "in_person",
    "permissions_of",
    "require",
]
