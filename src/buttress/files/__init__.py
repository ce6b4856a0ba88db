"""Files from outside: stored by content, told by content, and never trusted.

`runtime.files` takes, gives and deletes them; `for_owner` is how a person gets at one;
`check_archive` looks through a ZIP; `content_disposition` names a download.
"""

from buttress.files.archives import ArchiveLimits, check_archive
from buttress.files.files import Content, Files, for_owner
from buttress.files.names import content_disposition, normalised
from buttress.files.tables import File

__all__ = [
    "ArchiveLimits",
    "Content",
    "File",
    "Files",
    "check_archive",
    "content_disposition",
    "for_owner",
    "normalised",
]
