"""Background work that survives its process: durable jobs of steps, on the app's own database.

    @app.step(transaction=True)                     # jobs.py of an app
    def charge(session: Session, order: int) -> int: ...

    @app.job(timeout_seconds=600)
    def settle(order: int) -> int:
        return charge(order)

    runtime.jobs.enqueue(settle, 7, key="order 7")  # anywhere

`declaration` and `queues` are what apps write, `jobs` what callers use (`making` makes, `status`
reads, `control` changes), `worker` what runs the work. The engine behind them (DBOS) is imported
when work is enqueued or done, never by `import buttress.jobs`.
"""

from __future__ import annotations

from buttress.jobs.declaration import Job, Step
from buttress.jobs.errors import JobFailed
from buttress.jobs.jobs import Jobs, Ticket
from buttress.jobs.queues import Queue, QueueStatus
from buttress.jobs.status import JobStatus, Progress, StepStatus

__all__ = [
    "Job",
    "JobFailed",
    "JobStatus",
    "Jobs",
    "Progress",
    "Queue",
    "QueueStatus",
    "Step",
    "StepStatus",
    "Ticket",
]
