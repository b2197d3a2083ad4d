"""Bounds the memory that bodies in hand take together."""


class Budget:
    """So many bytes and no more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.taken = 0

    def take(self, size: int) -> bool:
        """Takes `size` bytes if they are there."""
        if self.taken + size > self._limit:
            return False
        self.taken += size
        return True

    def give_back(self, size: int) -> None:
        """Gives back what was taken."""
        self.taken -= size
