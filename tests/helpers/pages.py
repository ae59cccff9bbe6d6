"""The pages of the documentation, and what is found in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
INLINE_COMMAND = re.compile(r"`(vitrion [a-z][^`]*)`")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")


def pages():
    """Return every page that a person writes, the README among them."""
    written = [
        p for p in DOCS.rglob("*.md") if "_build" not in p.parts and "generated" not in p.parts
    ]
    return [ROOT / "README.md", *sorted(written)]


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page, *kinds):
    """Return the bodies of the fenced blocks of some kinds."""
    return [
        match["body"]
        for match in BLOCK.finditer(page.read_text())
        if match["kind"].strip() in kinds
    ]


def prose(page):
    """Return the text without its fenced blocks."""
    return BLOCK.sub("", page.read_text())


def command_lines(page):
    """Yield every line that calls vitrion: in shell blocks, indented blocks and running text."""
    shell = "\n".join(blocks(page, "console", "bash", "", "{code-block} console"))
    indented = "\n".join(re.findall(r"^ {4}(vitrion .*)$", prose(page), re.MULTILINE))
    for line in f"{shell}\n{indented}".splitlines():
        line = line.strip().removeprefix("$ ").split("  #")[0].strip()
        if line.startswith("vitrion ") and "..." not in line:
            yield line
    for command in INLINE_COMMAND.findall(prose(page)):
        if "..." not in command:
            yield command
