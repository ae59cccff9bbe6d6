"""Base class of the transport results: strict models that accept arrays for lists."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict


def _as_list(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value


Series = Annotated[list[float], BeforeValidator(_as_list)]
Matrix = Annotated[list[list[float]], BeforeValidator(_as_list)]


class Model(BaseModel):
    """Base class of all results: rejects unknown fields; NaN survives JSON."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings")
