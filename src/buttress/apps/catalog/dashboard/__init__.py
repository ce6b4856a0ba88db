"""What the dashboard shows, one module a tab: figures added up by the database, never rows.

Each function takes a session and a `Window`, and is cached strictly: it is as new as the tables.
"""

from buttress.apps.catalog.dashboard.window import Window

__all__ = ["Window"]
