"""The families that are the same whichever process is asked: they are read when it is."""

from __future__ import annotations

from buttress.telemetry.metrics.family import Alert, Panel, declare

JOBS, BACKUPS, MACHINE = "Jobs", "Backups", "Machine"
QUEUE = "name of the queue; empty for what was started past the queues"

UNANSWERED = declare(
    "buttress_unanswered", "gauge",
    "1 for what could not be read for this page, whose families are missing then",
    {"part": "`jobs`, `backups`, `migrations`, `disk` or `memory`"},
    alerts=[
        Alert(
            "ButtressFiguresMissing", "max by (part) (buttress_unanswered) > 0",
            "Figures of {{ $labels.part }} are missing",
            "The alerts that rest on them are blind. /health/detailed says what is away.",
            minutes=10,
        )
    ],
)  # fmt: skip

JOB_COUNT = declare(
    "buttress_jobs", "gauge", "Jobs that are kept, by how they stand",
    {"state": "`waiting`, `delayed`, `running`, `done`, `failed`, `cancelled` or `given up`",
     "queue": QUEUE},
    alerts=[
        Alert(
            "ButtressJobsGivenUp",
            'sum(max by (queue) (delta(buttress_jobs{state="given up"}[1h]))) > 0',
            "A job was given up within the last hour: it killed its worker again and again",
            "`buttress jobs list --state 'given up'` names it; mend the cause, then "
            "`buttress jobs retry`.",
            minutes=0,
        )
    ],
    panels=[
        Panel(JOBS, "Not ended",
              {"{{queue}} {{state}}": "max by (queue, state) "
               '(buttress_jobs{state=~"waiting|delayed|running"})'}, "short"),
        Panel(JOBS, "Failed and given up",
              {"{{queue}} {{state}}":
               'max by (queue, state) (buttress_jobs{state=~"failed|given up"})'}, "short"),
    ],
)  # fmt: skip

JOB_AGE = declare(
    "buttress_job_oldest_waiting_seconds", "gauge",
    "How long the oldest job that may begin has been waiting", {"queue": QUEUE},
    alerts=[
        Alert(
            "ButtressJobsWait",
            "max by (queue) (buttress_job_oldest_waiting_seconds) > 600",
            "A job has been waiting for more than ten minutes in {{ $labels.queue }}",
            "Is a worker running, is the queue paused, is it too narrow? `buttress jobs queues`.",
        )
    ],
    panels=[
        Panel(JOBS, "Age of the oldest that waits",
              {"{{queue}}": "max by (queue) (buttress_job_oldest_waiting_seconds)"}, "s"),
    ],
)  # fmt: skip

WORKERS = declare(
    "buttress_workers", "gauge", "Workers that have been heard of within the last three seconds",
    alerts=[
        Alert(
            "ButtressNoWorker", "max(buttress_workers) < 1",
            "No worker does the jobs",
            "Start `buttress worker`, or set BUTTRESS_JOBS__WORKER=true.",
            minutes=2, severity="critical",
        )
    ],
    panels=[Panel(JOBS, "Workers", {"workers": "max(buttress_workers)"}, "short")],
)  # fmt: skip

HEARTBEAT = declare(
    "buttress_worker_heartbeat_timestamp_seconds", "gauge",
    "When the worker that was heard of last was; Unix time by the database's clock",
)  # fmt: skip

BACKUP_NEWEST = declare(
    "buttress_backup_newest_timestamp_seconds", "gauge",
    "When the newest backup was begun; missing where there is none",
    alerts=[
        Alert(
            "ButtressBackupOld",
            "time() - max(buttress_backup_newest_timestamp_seconds) > 26 * 3600",
            "The newest backup is older than 26 hours",
            "`buttress jobs list --queue buttress.housekeeping` tells why the last one failed; "
            "`buttress backup` makes one now.",
            severity="critical",
        ),
        Alert(
            "ButtressNoBackup",
            'absent(buttress_backup_newest_timestamp_seconds) and on () buttress_unanswered'
            '{part="backups"} == 0',
            "There is no backup",
            "Run `buttress backup`, and set BUTTRESS_BACKUP__SCHEDULE.",
            minutes=1560, severity="critical",
        ),
    ],
    panels=[
        Panel(BACKUPS, "Age",
              {"newest": "time() - max(buttress_backup_newest_timestamp_seconds)",
               "newest proven": "time() - max(buttress_backup_proven_timestamp_seconds)"}, "s"),
    ],
)  # fmt: skip

BACKUP_PROVEN = declare(
    "buttress_backup_proven_timestamp_seconds", "gauge",
    "When the newest backup that a restore has proven was begun; missing where there is none",
    alerts=[
        Alert(
            "ButtressBackupUnproven",
            "time() - max(buttress_backup_proven_timestamp_seconds) > 8 * 86400",
            "No backup of the last eight days is proven by a restore",
            "`buttress backup verify` proves the newest and says what differs.",
            severity="critical",
        )
    ],
)  # fmt: skip

BACKUP_BYTES = declare(
    "buttress_backup_newest_bytes", "gauge", "What the newest backup holds, compressed",
    panels=[Panel(BACKUPS, "Size", {"newest": "max(buttress_backup_newest_bytes)"}, "bytes")],
)  # fmt: skip

DRILL_AT = declare(
    "buttress_backup_drill_timestamp_seconds", "gauge",
    "When a restore was last tried; missing where none was",
)  # fmt: skip

DRILL_PASSED = declare(
    "buttress_backup_drill_passed", "gauge",
    "1 when that restore equalled what was backed up, 0 when it differed",
    alerts=[
        Alert(
            "ButtressDrillFailed", "min(buttress_backup_drill_passed) < 1",
            "The last restore that was tried differed from what was backed up",
            "`buttress backup show latest` lists the differences. Do not rely on that backup; "
            "make another one.",
            minutes=0, severity="critical",
        )
    ],
)  # fmt: skip

PENDING = declare(
    "buttress_migrations_pending", "gauge", "Migrations this process knows that were not applied",
    alerts=[
        Alert(
            "ButtressMigrationsPending", "max(buttress_migrations_pending) > 0",
            "The database is behind the code",
            "Run `buttress migrate upgrade`; /health/ready is 503 until then.",
            minutes=15,
        )
    ],
)  # fmt: skip

DISK_USED = declare(
    "buttress_disk_used_bytes", "gauge", "In use on the file system of the data folder",
    alerts=[
        Alert(
            "ButtressDiskNearlyFull", "buttress_disk_used_bytes / buttress_disk_total_bytes > 0.85",
            "The disk of the data folder is more than 85 % full",
            "`buttress backup prune` and `buttress pitr prune` free room; then a larger disk.",
        )
    ],
    panels=[
        Panel(MACHINE, "Used",
              {"disk {{instance}}": "buttress_disk_used_bytes / buttress_disk_total_bytes",
               "memory {{instance}}": "buttress_memory_used_bytes / buttress_memory_total_bytes"},
              "percentunit"),
    ],
)  # fmt: skip
DISK_TOTAL = declare(
    "buttress_disk_total_bytes", "gauge", "Size of the file system of the data folder"
)
MEMORY_USED = declare(
    "buttress_memory_used_bytes", "gauge", "Memory in use in the container, or of the machine",
    alerts=[
        Alert(
            "ButtressMemoryNearlyUsedUp",
            "buttress_memory_used_bytes / buttress_memory_total_bytes > 0.8",
            "More than 80 % of the memory is in use",
            "The panel Memory tells whether it is this process; give the container more, or lower "
            "BUTTRESS_CACHE__MEMORY_BYTES.",
            minutes=15,
        )
    ],
)  # fmt: skip
MEMORY_TOTAL = declare(
    "buttress_memory_total_bytes", "gauge", "Memory the container may use, or the machine has"
)
