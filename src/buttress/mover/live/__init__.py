"""Following a source that is still written to, and the cut-over.

`changes` puts triggers into the source that note the keys of changed rows; `replay` re-reads those
rows and brings the target to the same state, batch by batch, each proven; `cutover` locks the
source for the last batch and fences it off.
"""
