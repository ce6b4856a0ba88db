"""Data contracts: what rows must be, and where they are not, by row, column and value."""

from buttress.contracts.checked import Checked, Group
from buttress.contracts.contract import Contract
from buttress.contracts.violation import Violation
from buttress.contracts.whole import frame_rule

__all__ = ["Checked", "Contract", "Group", "Violation", "frame_rule"]
