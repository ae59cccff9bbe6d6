"""Encode documents as BSON, compressed if large."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NoReturn

import bson
from bson import Decimal128
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from monty.json import jsanitize

from vitrion.errors import UnstorableError
from vitrion.store.criteria import MAX_BYTES, is_deeper

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_LEVELS = 200  # as a MongoDB server
_COMPRESS_ABOVE = 2048  # bytes
_MOST = 900 * 10**6  # bytes; SQLite takes 10^9
_PLAIN, _DEFLATED = b"\0", b"\1"
_UNSTORABLE = (BSONError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


class _NoDecimal(TypeDecoder):
    bson_type = Decimal128

    def transform_bson(self, value: Any) -> NoReturn:
        raise UnstorableError(
            f"The decimal number {value} cannot be stored in the embedded store, which compares "
            "binary ones: store float(...) or a string."
        )


_CODECS: CodecOptions = CodecOptions(type_registry=TypeRegistry([_NoDecimal()]))


def encode_document(document: Mapping[str, Any], *, is_large: bool = False) -> tuple[bytes, dict]:
    """Encode a document, and return it also as queries return it.

    Parameters
    ----------
    document
        BSON values, or values that monty serializes: numpy arrays, paths, objects with ``as_dict``.
    is_large
        Allow more than MongoDB's 16 MB, as GridFS does.

    Raises
    ------
    UnstorableError
        If a value cannot be stored, or the document is larger or deeper than MongoDB takes.
    """
    plain = {name: value for name, value in document.items() if name != "_id"}
    try:
        body = bson.encode(plain)  # far faster than to look at everything beforehand
    except _UNSTORABLE:
        try:
            body = bson.encode(jsanitize(plain, strict=True, allow_bson=True))
        except _UNSTORABLE as error:
            raise UnstorableError(
                f"A document cannot be stored ({error}): store plain values, arrays or objects "
                "with as_dict()."
            ) from error
    most = _MOST if is_large else MAX_BYTES
    if len(body) > most:
        raise UnstorableError(
            f"A document of {len(body) / 2**20:.0f} MB is larger than the {most / 2**20:.0f} MB of "
            "the store: store its large parts in an additional store."
        )
    try:
        decoded = bson.decode(body, _CODECS)
    except BSONError as error:  # which wraps the error of a decoder
        raise UnstorableError(str(error)) from error
    if is_deeper(decoded, _MAX_LEVELS):
        raise UnstorableError(
            f"A document cannot be stored with more than {_MAX_LEVELS} nested levels: flatten it."
        )
    marked = [name for name in decoded if name[:1] == "$"]
    if marked:
        raise UnstorableError(
            f"A document cannot be stored with a field '{marked[0]}': '$' marks operators."
        )
    return body, decoded


def pack(body: bytes) -> bytes:
    """Return the bytes to store."""
    return _DEFLATED + zlib.compress(body, 1) if len(body) > _COMPRESS_ABOVE else _PLAIN + body


def unpack(packed: bytes, tree: Mapping[str, Any] | None = None) -> dict | None:
    """Return the document; None if the bytes are damaged.

    Parameters
    ----------
    packed
        The stored bytes.
    tree
        Fields that are needed, as in :class:`vitrion.store.projection.Projection`; others are not
        decoded. None decodes all.
    """
    try:
        body = zlib.decompress(packed[1:]) if packed[:1] == _DEFLATED else packed[1:]
        return bson.decode(body) if tree is None else _decode_partly(RawBSONDocument(body), tree)
    except (zlib.error, BSONError, TypeError, ValueError):
        return None


def _decode_partly(document: RawBSONDocument, tree: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in document.items():
        if name in tree:
            is_part = isinstance(value, RawBSONDocument) and tree[name] is not True
            found[name] = _decode_partly(value, tree[name]) if is_part else _decode(value)
    return found


def _decode(value: Any) -> Any:
    if isinstance(value, RawBSONDocument):
        return bson.decode(value.raw)
    return [_decode(item) for item in value] if isinstance(value, list) else value
