"""What comes after the rows: keys, indexes, constraints, identities, views and triggers."""
