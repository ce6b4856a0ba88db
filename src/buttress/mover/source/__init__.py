"""The source: a consistent snapshot of a SQLite file, its schema, its values, and its rows."""
