"""The errors a user can meet; each message is one sentence that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from pydantic import ValidationError


class VitrionError(Exception):
    """Base of all errors that vitrion raises on purpose."""


class InputError(VitrionError, ValueError):
    """The request cannot be carried out as stated; nothing expensive has started."""

    @classmethod
    def from_validation(cls, report: ValidationError, what: str, remedy: str = "") -> Self:
        """Reduce pydantic's report to one sentence about its first fault.

        Parameters
        ----------
        report : ValidationError
            A sentence that a validator of ours raised is kept as it is.
        what : str
            What holds the value, such as ``MD setting``.
        remedy : str
            What to do; it ends the sentence after a semicolon.
        """
        first = report.errors()[0]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, InputError):
            return cls(str(cause))
        name = ".".join(str(part) for part in first["loc"])
        subject = f"The {what} '{name}'" if name else f"One {what}"
        message = first["msg"].removeprefix("Value error, ")
        return cls(f"{subject} is not valid: {message}{'; ' if remedy else ''}{remedy}.")


class PotentialError(VitrionError):
    """A potential cannot be found, verified, downloaded or loaded."""


class SimulationError(VitrionError):
    """A simulation left the physical range; its last good frames are kept."""


class StoreError(VitrionError):
    """Results cannot be read from or written to the store."""


class DamagedDocumentsError(StoreError):
    """Some documents of a store cannot be read; all others have been returned.

    Parameters
    ----------
    store
        Name of the store.
    keys
        The keys of the documents.
    """

    def __init__(self, store: str, keys: list[str]) -> None:
        self.store, self.keys = store, keys
        named = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
        super().__init__(
            f"The content of {len(keys)} document(s) of {store} is damaged and was left out "
            f"({named}): restore them from a copy, or remove them and run their jobs again."
        )
