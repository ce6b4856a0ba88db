"""What the catalog can do: functions that take a session and never commit; their caller does."""
