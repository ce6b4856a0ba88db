"""The query monitor: every statement of a process timed, named and kept in bounded memory."""
