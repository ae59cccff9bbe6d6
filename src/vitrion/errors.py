"""Errors of vitrion; each message is one sentence that states what to do."""

from __future__ import annotations


class VitrionError(Exception):
    """Base class of all errors of vitrion."""


class InputError(VitrionError, ValueError):
    """The request is invalid; nothing expensive has started."""


class SettingError(InputError):
    """A setting is unknown, or its value is invalid.

    Parameters
    ----------
    name : str
        Dotted name, such as ``glass.n_atoms``.
    problem : str
        The rest of the sentence: ``is 3, but must be 4 to 100000.``
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name, self.problem = name, problem

    def inside(self, section: str) -> SettingError:
        """Return the same error with the full dotted name of its setting."""
        return SettingError(f"{section}.{self.name}", self.problem)

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.name, self.problem)


class BusyError(InputError):
    """Another process has locked a resource; the same request succeeds later."""


class PotentialError(VitrionError):
    """A potential cannot be found, verified, downloaded or loaded."""


class SimulationError(VitrionError):
    """A simulation left the physical range; its last good frames are kept."""


class StoreError(VitrionError):
    """Results cannot be read from or written to the store."""


class DiskFullError(StoreError):
    """The disk of a store is full; the store can be read."""


class UnstorableError(StoreError):
    """A document cannot be stored: a value, a name or its size is not allowed."""


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
        noun = "document" if len(keys) == 1 else "documents"
        super().__init__(
            f"The content of {len(keys)} {noun} of {store} is damaged and was skipped "
            f"({named}): restore them from a copy, or remove them and rerun their jobs."
        )
