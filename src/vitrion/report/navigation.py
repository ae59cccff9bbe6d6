"""Position of a page in the list of all materials."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from vitrion.report.material_filters import MaterialFilters

SORT_NAMES = {
    "formula_pretty": "formula",
    "-last_updated": "newest first",
    "-sigma_300K": "conductivity at 300 K, highest first",
    "activation_energy_eV": "activation energy, lowest first",
}
"""Orders of the list, and their names."""
DEFAULT_SORT = "formula_pretty"
PAGE_SIZES = (25, 100, 500)
DEFAULT_ROWS = 100


@dataclass(frozen=True)
class Navigation:
    """A page of the list of materials, and the addresses of its neighbors.

    Attributes
    ----------
    total : int
        Number of rows of all pages.
    page : int
        Number of this page, from 1.
    rows : int
        Rows of a page.
    search : str
        Formula, elements or identifier that was searched for.
    sort : str
        A key of `SORT_NAMES`.
    filters : MaterialFilters
        What the list is limited to.
    """

    total: int
    page: int
    rows: int
    search: str = ""
    sort: str = DEFAULT_SORT
    filters: MaterialFilters = field(default_factory=MaterialFilters)

    @property
    def n_pages(self) -> int:
        """Number of pages, at least 1."""
        return max(-(-self.total // self.rows), 1)

    @property
    def first(self) -> int:
        """Number of the first row, from 1."""
        return (self.page - 1) * self.rows + 1

    @property
    def last(self) -> int:
        """Number of the last row."""
        return min(self.page * self.rows, self.total)

    @property
    def previous(self) -> str | None:
        """Address of the previous page."""
        return self._address(self.page - 1) if self.page > 1 else None

    @property
    def following(self) -> str | None:
        """Address of the next page."""
        return self._address(self.page + 1) if self.page < self.n_pages else None

    @property
    def sorts(self) -> dict[str, str]:
        """Names of the orders."""
        return SORT_NAMES

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of rows that a page can have."""
        return PAGE_SIZES

    def export(self, suffix: str) -> str:
        """Return the address of all rows of the search as a file, ``csv`` or ``json``."""
        return f"materials.{suffix}{self._address(1)}"

    def _address(self, page: int) -> str:
        given = {"search": self.search, "sort": self.sort, "page": page, "rows": self.rows}
        own = [(name, value) for name, value in given.items() if value]
        return "?" + urlencode([*own, *self.filters.parameters()])
