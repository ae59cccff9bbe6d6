"""What the pages say of commands, code and links is true of this version."""

import ast
import importlib
import pkgutil
import re
import shlex

import pytest
from typer.main import get_command

import vitrion
from helpers.pages import DOCS, LINK, ROOT, blocks, command_lines, name_of, pages, prose
from vitrion.cli import app
from vitrion.cli.database import parse_conditions
from vitrion.comparison.cautions import KINDS
from vitrion.flows.recipe import Recipe

PAGES = pages()
COMMAND = get_command(app)


def parse(words):
    """Parse a command line as the program would, down to the last command, without running it."""
    command, path, parent = COMMAND, "vitrion", None
    while True:
        context = command.make_context(path, list(words), parent=parent)
        if not hasattr(command, "commands"):
            return context
        rest = [*context._protected_args, *context.args]
        path, command, words = command.resolve_command(context, rest)
        parent = context


def fault(words):
    """Return what is wrong with a command line, or None."""
    try:
        parsed = parse(words)
        if parsed.info_name == "query":
            parse_conditions(parsed.params["conditions"] or ())
    except Exception as error:  # typer has its own copy of click's classes, or click's
        return error
    return None


def is_mention(line):
    """Tell `vitrion potential show` in running text, or one with a placeholder, from a command."""
    words = line.split()[1:]
    return all(re.fullmatch(r"[a-z]+|[A-Z]+|--help", word) for word in words)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_command_lines_parse(page):
    for line in command_lines(page):
        words = shlex.split(line.split("|")[0].split(" > ")[0].split("; ")[0])[1:]
        if is_mention(line):
            command = COMMAND
            for word in words:
                if word in getattr(command, "commands", {}):
                    command = command.commands[word]
            assert command is not COMMAND, f"there is no command '{line}'"
            continue
        error = fault(words)
        # Running text may name an option alone; a block holds whole commands.
        alone = type(error).__name__ == "MissingParameter" and f"`{line}`" in prose(page)
        assert error is None or alone, f"'{line}': {error}"


def test_the_parser_refuses_what_does_not_exist():
    with pytest.raises(Exception, match="No such option"):
        parse(["submit", "LiPO2F2", "--nonsense", "amorphous"])
    with pytest.raises(Exception, match="No such command"):
        parse(["frobnicate"])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_compiles_and_its_imports_exist(page):
    for body in blocks(page, "python", "{code-cell} python"):
        code = re.sub(r"^:tags:.*\n", "", body)
        for node in ast.walk(ast.parse(code, filename=name_of(page))):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                missing = [a.name for a in node.names if not _has(module, a.name)]
                assert not missing, f"{node.module} has no {missing}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    importlib.import_module(alias.name)


def _has(module, name):
    if hasattr(module, name):
        return True
    try:
        importlib.import_module(f"{module.__name__}.{name}")
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for link in LINK.findall(prose(page)):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: {name_of(target)} has no such heading"


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def test_objects_that_pages_refer_to_exist():
    found = 0
    for page in PAGES:
        for role, name in re.findall(r"\{py:(\w+)\}`~?([\w.]+)`", page.read_text()):
            parts = name.split(".")
            for depth in range(len(parts), 0, -1):
                try:
                    value = importlib.import_module(".".join(parts[:depth]))
                    break
                except ImportError:
                    continue
            for part in parts[depth:]:
                fields = getattr(value, "model_fields", {})
                assert hasattr(value, part) or part in fields, f"{name_of(page)}: {role} {name}"
                value = getattr(value, part, None)
            found += 1
    assert found > 50


def test_every_module_is_in_the_api():
    listed = re.findall(r"^   (vitrion[\w.]*)$", (DOCS / "api/index.md").read_text(), re.MULTILINE)
    for module in pkgutil.iter_modules(vitrion.__path__, "vitrion."):
        # The build follows subpackages down by itself.
        assert module.name in listed or module.name.startswith("vitrion._"), module.name
    for name in listed:
        importlib.import_module(name)


def test_every_page_is_in_a_table_of_contents():
    listed = {(DOCS / "index.md").resolve()}
    for page in PAGES:
        if not page.is_relative_to(DOCS):
            continue
        for body in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(), re.M | re.DOTALL):
            for line in body.splitlines():
                entry = re.sub(r".*<(.*)>", r"\1", line.strip())
                if entry and not entry.startswith(":"):
                    listed.add((page.parent / f"{entry}.md").resolve())
        parts = re.findall(r"^```\{include\} (.*)$", page.read_text(), re.M)
        listed |= {(page.parent / part).resolve() for part in parts}
    missing = [name_of(p) for p in PAGES if p.is_relative_to(DOCS) and p.resolve() not in listed]
    assert not missing


def test_every_caution_is_explained():
    text = (DOCS / "how_to" / "cautions.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(KINDS)


def test_the_table_of_presets_states_their_values():
    text = (DOCS / "theory" / "glasses.md").read_text()
    stated = re.findall(r"^\| `(\w+)` \|(.*)\|$", text, re.MULTILINE)
    rows = {name: [cell.strip() for cell in cells.split("|")] for name, cells in stated}
    assert list(rows) == ["quick", "standard", "paper"]
    for name, row in rows.items():
        recipe = Recipe.from_preset(name)
        glass = recipe.glass
        assert row == [
            f"{glass.n_atoms}",
            f"{glass.melt_ps:g} ps",
            f"{glass.quench_rate_K_per_ps:g} K/ps",
            f"{glass.equilibrate_ps:g} ps",
            f"{recipe.n_replicas}",
        ]


def test_every_workflow_is_shown():
    text = (DOCS / "how_to/examples.md").read_text()
    for workflow in (ROOT / "workflows").glob("*.py"):
        assert workflow.name in text, workflow.name
