"""The proof: both sides read again, by code the copy does not share, and compared cell by cell."""
