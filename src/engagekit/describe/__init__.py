"""Say in plain words what a model does."""

from engagekit.describe.describe import describe, opening, sections

__all__ = ["describe", "opening", "sections"]
