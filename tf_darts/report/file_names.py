"""Names of a report's files, which are made of what people called their runs and data sets."""

import re

_LONGEST = 150  # bytes: with what stands around it, a file's name has 255 at most


def safe(name: str) -> str:
    """A name as one part of a path: no separators, no way up, not empty, not too long."""
    plain = re.sub(r"[^\w.-]+", "_", name)
    if not plain.strip("."):
        plain = "_" * max(len(plain), 1)
    return plain.encode()[:_LONGEST].decode(errors="ignore")


class FreeNames:
    """Gives each name once: one that is taken has a number behind it."""

    def __init__(self) -> None:
        """Begins with no name taken."""
        self._taken: set[str] = set()

    def take(self, name: str, ending: str = "") -> str:
        """The name, or that with the first number from 2 on that is free.

        Names that differ only in capitals are one name, as on some disks.

        Args:
          name: what is wanted.
          ending: of the file, without its dot; "" for none.
        """
        ending = f".{ending}" if ending else ""
        chosen, number = f"{name}{ending}", 2
        while chosen.casefold() in self._taken:
            chosen, number = f"{name}_{number}{ending}", number + 1
        self._taken.add(chosen.casefold())
        return chosen
