"""Encode documents as BSON, compressed if large."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NoReturn

import bson
from bson import Decimal128
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from monty.json import jsanitize

from vitrion.errors import StoreError
from vitrion.store.criteria import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMPRESS_ABOVE = 2048  # bytes
_MOST = 900 * 10**6  # bytes; SQLite takes 10^9
_PLAIN, _DEFLATED = b"\0", b"\1"
_UNSTORABLE = (BSONError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


class _NoDecimal(TypeDecoder):
    bson_type = Decimal128

    def transform_bson(self, value: Any) -> NoReturn:
        raise StoreError(
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
    StoreError
        If a value cannot be stored, or the document is larger than MongoDB takes.
    """
    plain = {name: value for name, value in document.items() if name != "_id"}
    try:
        body = bson.encode(plain)  # far faster than to look at everything beforehand
    except _UNSTORABLE:
        try:
            body = bson.encode(jsanitize(plain, strict=True, allow_bson=True))
        except _UNSTORABLE as error:
            raise StoreError(
                f"A document cannot be stored ({error}): store plain values, arrays or objects "
                "with as_dict()."
            ) from error
    most = _MOST if is_large else MAX_BYTES
    if len(body) > most:
        raise StoreError(
            f"A document of {len(body) / 2**20:.0f} MB is larger than the {most / 2**20:.0f} MB of "
            "the store: store its large parts in an additional store."
        )
    decoded = bson.decode(body, _CODECS)
    marked = [name for name in decoded if name[:1] == "$"]
    if marked:
        raise StoreError(
            f"A document cannot be stored with a field '{marked[0]}': '$' marks operators."
        )
    return body, decoded


def pack(body: bytes) -> bytes:
    """Return the bytes to store."""
    return _DEFLATED + zlib.compress(body, 1) if len(body) > _COMPRESS_ABOVE else _PLAIN + body


def unpack(packed: bytes) -> dict | None:
    """Return the document; None if the bytes are damaged."""
    try:
        if packed[:1] == _DEFLATED:
            return bson.decode(zlib.decompress(packed[1:]))
        return bson.decode(packed[1:])
    except (zlib.error, BSONError, TypeError, ValueError):
        return None
