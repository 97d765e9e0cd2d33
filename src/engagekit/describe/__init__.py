"""Say in plain words what a model does."""

from engagekit.describe.describe import describe

__all__ = ["describe"]
