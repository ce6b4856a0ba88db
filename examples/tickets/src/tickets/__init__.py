"""Support tickets."""

from buttress import App

app = App(
    "tickets",
    title="Support tickets",
    summary="Who asked what, how urgent is it, and has it been answered?",
)
