"""Data contracts: what rows must be, and where they are not."""
