"""What the transport analysis returns: estimates with intervals, bounds, curves."""

from __future__ import annotations

