"""The errors a user can meet; each message is one sentence that says what to do."""


class VitrionError(Exception):
    """Base of all errors that vitrion raises on purpose."""


class InputError(VitrionError, ValueError):
    """The request cannot be carried out as stated; nothing expensive has started."""


class PotentialError(VitrionError):
    """A potential cannot be found, verified, downloaded or loaded."""


class SimulationError(VitrionError):
    """A simulation left the physical range; its last good frames are kept."""


class StoreError(VitrionError):
    """Results cannot be read from or written to the store."""
