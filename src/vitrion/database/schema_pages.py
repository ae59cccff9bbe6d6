"""Markdown page and JSON schema of each kind of document."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from vitrion.database.kinds import document_classes
from vitrion.documents.base import VitrionDoc
from vitrion.runtime.atomic import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

COMMAND = "vitrion schema --write docs/schemas"
_NAMES = {"Element": "symbol of an element"}
_WORDS = {"number": "number", "integer": "integer", "string": "text", "boolean": "true or false"}


def write_schemas(folder: Path) -> list[Path]:
    """Write a page and a JSON schema of each kind of document, and an index.

    Returns
    -------
    list[Path]
        The files.
    """
    make_folder(folder)
    written = []
    for name, text in schema_files().items():
        (folder / name).write_text(text)
        written.append(folder / name)
    return written


def schema_files() -> dict[str, str]:
    """Return the text of each file by its name."""
    classes = {
        kind: cls
        for kind, cls in sorted(document_classes().items())
        if cls.__module__.startswith("vitrion.")
    }
    texts = {"index.md": _index(classes)}
    for kind, cls in classes.items():
        texts[f"{kind}.md"] = schema_page(cls)
        texts[f"{kind}.json"] = json.dumps(cls.model_json_schema(), indent=1) + "\n"
    return texts


def versions() -> str:
    """Return the versions of other packages that affect the text."""
    return f"Made with emmet-core {version('emmet-core')} and pydantic {version('pydantic')}."


def schema_page(cls: type[VitrionDoc]) -> str:
    """Return the page of one kind of document, in Markdown."""
    schema = cls.model_json_schema()
    kind = cls.model_fields["property_name"].default
    lines = [
        f"# {kind}",
        "",
        _first_line(schema),
        "",
        f"`{cls.__module__}.{cls.__name__}`, version {cls.model_fields['schema_version'].default} "
        f"of its schema; as {{download}}`JSON schema <{kind}.json>`.",
        "",
    ]
    if cls.key_fields:
        lines += ["Searched, sorted and summarized by:", ""]
        lines += [f"- `{name}`: `{path}`" for name, path in cls.key_fields.items()]
        lines += [""]
    own = [name for name in schema["properties"] if name in _own_fields(cls)]
    if own:
        lines += [f"## Fields of {kind}", "", *_table(schema, own)]
    shared = [name for name in schema["properties"] if name not in own]
    lines += ["## Fields of every document", "", *_table(schema, shared)]
    for name, part in schema.get("$defs", {}).items():
        if "properties" in part:
            lines += [f"## {name}", "", _first_line(part), "", *_table(part)]
    return "\n".join(lines)


def _index(classes: Mapping[str, type[VitrionDoc]]) -> str:
    lines = [
        "# Documents field by field",
        "",
        "Every field of every kind of document, with its unit. Written from the code by",
        f"`{COMMAND}`; `vitrion schema KIND` prints the JSON schema of one.",
        "",
        versions(),
        "",
        "| kind | what it holds |",
        "|---|---|",
        *(
            f"| [{kind}]({kind}.md) | {_first_line(cls.model_json_schema())} |"
            for kind, cls in classes.items()
        ),
        "",
        "```{toctree}",
        ":hidden:",
        *classes,
        "```",
        "",
    ]
    return "\n".join(lines)


def _first_line(schema: Mapping[str, Any]) -> str:
    return schema.get("description", "").strip().split("\n")[0]


def _own_fields(cls: type[VitrionDoc]) -> set[str]:
    """Return the fields that a kind of document adds to the base class."""
    return set(cls.model_fields) - set(VitrionDoc.model_fields)


def _table(schema: Mapping[str, Any], names: Iterable[str] | None = None) -> list[str]:
    fields = schema["properties"]
    rows = [
        f"| `{name}` | {_type(fields[name])} | {_cell(_description(name, fields[name]))} |"
        for name in (fields if names is None else names)
    ]
    return ["| field | type | |", "|---|---|---|", *rows, ""]


def _description(name: str, field: Mapping[str, Any]) -> str:
    inherited = VitrionDoc.model_fields.get(name)  # lost where a kind sets its own default
    return field.get("description") or (inherited and inherited.description) or ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _type(field: Mapping[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_types(field)))


def _types(field: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        yield _NAMES.get(name, name)
    elif "anyOf" in field:
        for choice in field["anyOf"]:
            yield from _types(choice)
    elif "enum" in field:
        yield ", ".join(f"`{value}`" for value in field["enum"])
    elif "const" in field:
        yield f"`{field['const']}`"
    elif "prefixItems" in field:
        yield f"[{', '.join(map(_type, field['prefixItems']))}]"
    elif field.get("type") == "array":
        yield f"list of {_type(field['items'])}" if field.get("items") else "list"
    elif isinstance(field.get("additionalProperties"), dict):
        yield f"{_type(field['additionalProperties']) or 'anything'} by name"
    elif field.get("format") == "date-time":
        yield "time"
    elif field.get("type") == "object":
        yield field.get("description") or "object"
    elif "type" in field:
        yield _WORDS.get(field["type"], field["type"])
