"""How many pictures wait, and when that is worth a sentence."""

from __future__ import annotations

# Fewer pictures may wait while one is inspected.
_FEW = 8


class Backlog:
    """Says that pictures come faster than they are inspected, each time twice as many wait.

    Args:
        there: number of pictures that were there at the start, which are no reason to say it.

    Attributes:
        most: the largest number of pictures that waited.
    """

    def __init__(self, there: int) -> None:
        self.most = 0
        self._said = max(_FEW, there)
        self._behind = False

    def observe(self, waiting: int) -> str | None:
        """A sentence for the user, if there is one to say.

        Args:
            waiting: number of complete pictures that wait.
        """
        self.most = max(self.most, waiting)
        if waiting > 2 * self._said:
            self._said, self._behind = waiting, True
            return f"Pictures come faster than they are inspected: {waiting} wait."
        if waiting:
            return None
        behind, self._behind, self._said = self._behind, False, _FEW
        return "No picture waits any more." if behind else None
