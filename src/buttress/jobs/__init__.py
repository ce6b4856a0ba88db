"""Background work that survives its process: durable jobs of steps, on the app's own database.

    @app.step(transaction=True)                     # jobs.py of an app
    def charge(session: Session, order: int) -> int: ...

    @app.job(timeout_seconds=600)
    def settle(order: int) -> int:
        return charge(order)

    runtime.jobs.enqueue(settle, 7, key="order 7")  # anywhere

`declaration` is what apps write, `jobs` what callers use, `worker` what runs the work. The engine
behind them (DBOS) is imported when work is enqueued or done, never by `import buttress.jobs`.
"""

from __future__ import annotations

from buttress.jobs.declaration import Job, Step
from buttress.jobs.errors import JobFailed
from buttress.jobs.jobs import Jobs, JobStatus, Ticket

__all__ = ["Job", "JobFailed", "JobStatus", "Jobs", "Step", "Ticket"]
