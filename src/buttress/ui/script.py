"""What Streamlit runs for every visitor on every interaction; all of it lies in `workspace`."""

from buttress.ui.workspace import show

show()
