"""Health checks, asked by /health/ready and shown on the page of apps."""

from sqlalchemy.orm import Session

from tickets import app, service


@app.check
def tickets_can_be_read(session: Session) -> str:
    """The table is there and readable."""
    return f"{service.figures(session).waiting} waiting"
