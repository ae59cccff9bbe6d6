"""Origin of the values on the page, and the works to cite for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrion.comparison import published
from vitrion.comparison.tables import Cell, Table, make_table, measured
from vitrion.materials.material import potentials_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vitrion.documents.base import VitrionDoc
    from vitrion.dynamics.document import FileReference
    from vitrion.materials.material import MaterialReport
    from vitrion.potentials import PotentialSpec


DOCUMENT_HEADS = ("material", "document", "made (UTC)", "job", "seeds", "potential")


@dataclass(frozen=True)
class Citation:
    """A work to cite, and its use."""

    used_for: str
    text: str
    url: str = ""


_ALWAYS = (
    Citation(
        "atoms, relaxation and dynamics",
        "A. H. Larsen et al., The atomic simulation environment, J. Phys.: Condens. Matter 29, "
        "273002 (2017)",
        "https://doi.org/10.1088/1361-648X/aa680e",
    ),
    Citation(
        "crystals, structures and phase diagrams",
        "S. P. Ong et al., Python Materials Genomics (pymatgen), Comput. Mater. Sci. 68, 314 "
        "(2013)",
        "https://doi.org/10.1016/j.commatsci.2012.10.028",
    ),
    Citation(
        "workflows",
        "A. S. Rosen et al., Jobflow: computational workflows made simple, J. Open Source Softw. "
        "9, 5995 (2024)",
        "https://doi.org/10.21105/joss.05995",
    ),
    Citation(
        "workflows",
        "A. Ganose et al., Atomate2: modular workflows for materials science, Digit. Discov. "
        "4, 1944 (2025)",
        "https://doi.org/10.1039/D5DD00019J",
    ),
    Citation(
        "running workflows on clusters",
        "A. Jain et al., FireWorks: a dynamic workflow system designed for high-throughput "
        "applications, Concurr. Comput. Pract. Exp. 27, 5037 (2015)",
        "https://doi.org/10.1002/cpe.3505",
    ),
)
_BACKENDS = {
    "mace": Citation(
        "potential",
        "I. Batatia et al., MACE: higher order equivariant message passing neural networks, "
        "Adv. Neural Inf. Process. Syst. 35 (2022)",
        "https://arxiv.org/abs/2206.07697",
    ),
    "chgnet": Citation(
        "potential",
        "B. Deng et al., CHGNet as a pretrained universal neural network potential for "
        "charge-informed atomistic modelling, Nat. Mach. Intell. 5, 1031 (2023)",
        "https://doi.org/10.1038/s42256-023-00716-3",
    ),
}
_SEVENNET = Citation(
    "teacher of the potential",
    "Y. Park et al., Scalable parallel algorithm for graph neural network interatomic potentials "
    "(SevenNet), J. Chem. Theory Comput. 20, 4857 (2024)",
    "https://doi.org/10.1021/acs.jctc.4c00190",
)
_SEARCH = Citation(
    "generative search for crystals",
    "P. Zhong and coworkers, CHGGen, arXiv:2504.16893, Mater. Horiz. (2025)",
    "https://arxiv.org/abs/2504.16893",
)


def citations_of(reports: Sequence[MaterialReport]) -> list[Citation]:
    """Return the works used for these results, the method first."""
    found = [Citation("the method", published.SOURCE, published.URL)]
    if any(report.polymorphs is not None for report in reports):
        found.append(_SEARCH)
    for spec in potentials_of(reports):
        if spec.backend in _BACKENDS:
            found.append(_BACKENDS[spec.backend])
        if "sevennet" in f"{spec.training_set} {spec.citation}".lower():
            found.append(_SEVENNET)
        else:
            found.append(Citation(f"potential {spec.name}", spec.citation))
    for report in reports:
        for document in report.documents:
            check = document.trust.force_check if document.trust is not None else None
            if check is not None and check.reference.startswith("chgnet"):
                chgnet = _BACKENDS["chgnet"]
                found.append(Citation("second potential", chgnet.text, chgnet.url))
    unique = {citation.url or citation.text: citation for citation in reversed(found)}
    return [*reversed(unique.values()), *_ALWAYS]


def origin_tables(reports: Sequence[MaterialReport]) -> list[Table]:
    """Return the potentials, the documents, the package versions and the trajectory files."""
    shown = [(report, document) for report in reports for document in report.documents]
    tables = [
        _potential_table(potentials_of(reports)),
        make_table(
            "Documents on this page",
            DOCUMENT_HEADS,
            [_document_row(report.name, document) for report, document in shown],
        ),
        _version_table([document for _, document in shown]),
    ]
    older = [(report, document) for report in reports for document in report.older]
    if older:
        rows = [_document_row(report.name, document) for report, document in older]
        tables.insert(2, make_table("Older documents, not shown", DOCUMENT_HEADS, rows))
    files = [file for _, document in shown for file in _files(document)]
    if files:
        heads = ("trajectory", "frames #", "SHA-256")
        rows_of_files: list[list[Cell | str]] = [
            [_short(file.path), measured(getattr(file, "n_frames", None), "d"), file.sha256]
            for file in files
        ]
        tables.append(make_table("Trajectory files", heads, rows_of_files))
    return [table for table in tables if table.rows]


def _potential_table(specs: Iterable[PotentialSpec]) -> Table:
    heads = ("potential", "version", "backend", "functional", "trained on", "license", "SHA-256")
    rows = [
        [s.name, s.version, s.backend, s.functional, s.training_set, s.license, s.sha256 or "-"]
        for s in specs
    ]
    return make_table("Potentials", heads, rows)


def _document_row(name: str, document: VitrionDoc) -> list[Cell | str]:
    origin = document.provenance
    seeds = ", ".join(f"{step} {seed}" for step, seed in origin.seeds.items())
    return [
        Cell(name, is_formula=True),
        document.property_name.replace("_", " "),
        document.last_updated.strftime("%Y-%m-%d %H:%M"),
        origin.job_uuids[-1] if origin.job_uuids else "-",
        seeds or "-",
        origin.potential.name if origin.potential is not None else "-",
    ]


def _version_table(documents: Iterable[VitrionDoc]) -> Table:
    versions: dict[str, set[str]] = {}
    for document in documents:
        for package, version in document.provenance.package_versions.items():
            versions.setdefault(package, set()).add(version)
    rows = [[package, ", ".join(sorted(found))] for package, found in versions.items()]
    return make_table("Package versions", ("package", "version"), rows)


def _files(document: VitrionDoc) -> list[FileReference]:
    trajectories = getattr(document, "trajectories", {})
    found: list[FileReference] = []
    for value in trajectories.values():
        found += value if isinstance(value, list) else [value]
    return found


def _short(path: str) -> str:
    """Return the end of a path, without the directories of the machine."""
    return "/".join(path.replace("\\", "/").split("/")[-3:])
