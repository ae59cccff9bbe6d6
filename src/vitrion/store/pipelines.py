"""The aggregation that maggma.api needs: a page of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class Pipelines:
    """Replaces a MongoDB collection for the page queries of maggma.api."""

    _STAGES = ("$match", "$sort", "$project", "$skip", "$limit")

    def __init__(self, query: Callable[..., Iterator[dict]]) -> None:
        self._query = query

    def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> Iterator[dict]:
        """Run a pipeline of match, sort, project, skip and limit, each once and in this order.

        Raises
        ------
        StoreError
            If the pipeline has any other form.
        """
        stages = [next(iter(stage.items())) for stage in pipeline]
        places = [self._STAGES.index(name) if name in self._STAGES else -1 for name, _ in stages]
        if places != sorted(set(places)) or -1 in places:
            raise StoreError(
                "The embedded store does not support this pipeline: use a MongoDB server."
            )
        stage = dict(stages)
        if stage.get("$limit", 1) == 0:
            raise StoreError("The stage $limit takes a positive number, not 0.")
        return self._query(
            stage.get("$match"),
            stage.get("$project"),
            stage.get("$sort"),
            stage.get("$skip", 0),
            stage.get("$limit", 0),
        )
