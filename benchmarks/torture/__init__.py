"""The consistency torture: does a cache ever hand out a value older than a commit already acknowledged?

Reader and writer processes work on one small table through the cache under test while transactions
roll back, writers are killed right after their commit, a foreign `psql` writes, Valkey is flushed,
frozen and killed, and the server is restarted and crashed. `record` holds what was acknowledged,
`caches` the layers under test, `actors` the processes, `faults` what is done to them.

    python -m benchmarks.torture [--seconds 20] [--only wal]
"""
