"""The workspace edge. A page of an app needs one name from here, a transaction:

@app.page("Tickets", icon="inbox")
def tickets() -> None:
    with page_session() as session:
        st.dataframe(service.open_tickets(session))
"""

from buttress.ui.current import current_runtime, page_session

__all__ = ["current_runtime", "page_session"]
