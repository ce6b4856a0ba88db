"""What becomes of everything: types that are exact, names, keys, and the plan file."""
