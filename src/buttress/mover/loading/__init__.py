"""Rows into the staging schema by binary COPY; what cannot cross goes to quarantine."""
