"""Directives that read the reference off the package: ``commands`` and ``settings``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.util.nodes import nested_parse_with_titles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx


class Commands(Directive):
    """Write one section for each command of ``vitrion``."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        from typer.main import get_command

        from vitrion.cli import app

        lines = [
            line
            for path, command in leaves(get_command(app), "vitrion")
            for line in section(path, command)
        ]
        parent = nodes.section()
        parent.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, "vitrion"), parent)
        return parent.children


class Settings(Directive):
    """Write one entry for each setting of vitrion."""

    def run(self) -> list[nodes.Node]:
        """Return a definition list."""
        from vitrion.settings import VitrionSettings

        lines = []
        for name, field in VitrionSettings.model_fields.items():
            known = field.default_factory is None and field.default is not None
            default = f" Default: ``{field.default}``." if known else ""
            lines += [f"``VITRION_{name.upper()}``, ``{name}``", f"   {field.description}{default}"]
        parent = nodes.container()
        self.state.nested_parse(StringList(lines, "settings"), 0, parent)
        return parent.children


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command below a group with the words that call it."""
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from leaves(child, f"{path} {name}")
    if not hasattr(command, "commands"):
        yield path, command


def section(path: str, command: Any) -> Iterator[str]:
    """Yield the lines of reStructuredText about one command."""
    with command.make_context(path, [], resilient_parsing=True) as context:
        usage = " ".join(command.collect_usage_pieces(context))
        records = [
            record
            for parameter in command.get_params(context)
            if (record := describe(parameter, context))
        ]
    yield from ("", f".. _{path.replace(' ', '-')}:", "", path, "-" * len(path), "")
    yield from (command.help or "").splitlines()
    yield from ("", ".. code-block:: console", "", f"   $ {path} {usage}", "")
    for name, text in records:
        yield from (f"``{name}``", f"   {text or '.'}", "")
    if command.epilog:
        yield from ("Example::", "", f"   {command.epilog.removeprefix('Example:').strip()}", "")


def describe(parameter: Any, context: Any) -> tuple[str, str] | None:
    """Return the spelling of an option or argument and what is said about it."""
    if parameter.param_type_name == "argument":
        return parameter.name.upper(), parameter.help or ""
    return parameter.get_help_record(context)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("commands", Commands)
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True}
