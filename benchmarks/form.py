"""How much is measured, and how often."""

from typing import NamedTuple

from synthetic import Size


class Form(NamedTuple):
    """The full form, or the short one with a tenth of the events for a machine that watches over changes."""

    short: bool

    def size(self, full: Size) -> Size:
        """Return how much this form measures."""
        return Size(full.events // 10, full.contacts // 10) if self.short else full

    def rounds(self, full: int) -> int:
        """Return how often this form measures; what is short is noisy."""
        return 9 if self.short else full
