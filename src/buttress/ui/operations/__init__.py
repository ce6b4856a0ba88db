"""The pages every deployment gets: who may do what, and what was done."""
