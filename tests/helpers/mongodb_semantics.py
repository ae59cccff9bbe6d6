"""What MongoDB's manual says that filters find, and what the server refuses, as a table.

Null and missing: https://www.mongodb.com/docs/manual/tutorial/query-for-null-fields/
Order of kinds: https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
Operators: https://www.mongodb.com/docs/manual/reference/operator/query/
"""

import re
from datetime import UTC, datetime

from bson import Code, Regex
from bson.int64 import Int64

NAN, INF = float("nan"), float("inf")
NOON = datetime(2026, 1, 1, 12)

DOCUMENTS = {
    "none": {},
    "null": {"a": None},
    "zero": {"a": 0},
    "one": {"a": 1},
    "half": {"a": 0.5},
    "long": {"a": Int64(2**53 + 1)},
    "nan": {"a": NAN},
    "inf": {"a": INF},
    "true": {"a": True},
    "false": {"a": False},
    "text": {"a": "Li2O"},
    "empty text": {"a": ""},
    "code": {"a": Code("Li2O")},
    "date": {"a": NOON},
    "bytes": {"a": b"\x01"},
    "{}": {"a": {}},
    "{b:1}": {"a": {"b": 1}},
    "{b:null}": {"a": {"b": None}},
    "{b:1,c:2}": {"a": {"b": 1, "c": 2}},
    "{c:2,b:1}": {"a": {"c": 2, "b": 1}},
    "[]": {"a": []},
    "[[]]": {"a": [[]]},
    "[null]": {"a": [None]},
    "[1,true]": {"a": [1, True]},
    "[1,5]": {"a": [1, 5]},
    "[[1,5]]": {"a": [[1, 5]]},
    "[{b:1},{b:9}]": {"a": [{"b": 1}, {"b": 9}]},
    "[{b:1},{}]": {"a": [{"b": 1}, {}]},
    "[{b:[1,5]}]": {"a": [{"b": [1, 5]}]},
}
ALL = set(DOCUMENTS)
LISTS = {name for name in ALL if name.startswith("[")}
OBJECTS = {name for name in ALL if name.startswith("{")}
NUMBERS = {"zero", "one", "half", "long", "nan", "inf"}
FLAGS = {"true", "false"}
TEXTS = {"text", "empty text"}
NULLS = {"none", "null", "[null]"}
SCALARS = NUMBERS | FLAGS | TEXTS | {"date", "bytes", "code"}
ONES = {"one", "[1,true]", "[1,5]"}

FOUND = [
    ({}, ALL),
    ({"$comment": "only a remark"}, ALL),
    # null finds what is missing; a missing field inside of a list counts for each document in it
    ({"a": None}, NULLS),
    ({"a": {"$eq": None}}, NULLS),
    ({"a": {"$ne": None}}, ALL - NULLS),
    ({"a": {"$gte": None}}, NULLS),
    ({"a": {"$lte": None}}, NULLS),
    ({"a": {"$gt": None}}, set()),
    ({"a": {"$lt": None}}, set()),
    ({"a": {"$not": {"$gte": None}}}, ALL - NULLS),
    ({"a": {"$in": [None, 0]}}, NULLS | {"zero"}),
    ({"a": {"$nin": [None, 0]}}, ALL - NULLS - {"zero"}),
    ({"a": {"$in": []}}, set()),
    ({"a": {"$nin": []}}, ALL),
    ({"a": {"$type": "null"}}, {"null", "[null]"}),
    ({"a": {"$exists": True}}, ALL - {"none"}),
    ({"a": {"$exists": False}}, {"none"}),
    ({"a": {"$exists": 0}}, {"none"}),
    ({"a": {"$exists": None}}, {"none"}),
    ({"a": {"$exists": ""}}, ALL - {"none"}),
    ({"a.b": None}, {"none", "null", "{}", "{b:null}", "[{b:1},{}]"} | SCALARS),
    ({"a.b": {"$gte": None}}, {"none", "null", "{}", "{b:null}", "[{b:1},{}]"} | SCALARS),
    (
        {"a.b": {"$in": [None, 9]}},
        {"none", "null", "{}", "{b:null}", "[{b:1},{}]", "[{b:1},{b:9}]"} | SCALARS,
    ),
    (
        {"a.b": {"$ne": None}},
        {"{b:1}", "{b:1,c:2}", "{c:2,b:1}", "[]", "[[]]", "[null]", "[1,true]", "[1,5]", "[[1,5]]"}
        | {"[{b:1},{b:9}]", "[{b:[1,5]}]"},
    ),
    (
        {"a.b": {"$exists": False}},
        {"none", "null", "{}", "[]", "[[]]", "[null]", "[1,true]", "[1,5]", "[[1,5]]"} | SCALARS,
    ),
    # kinds are apart: True is not 1, a text is not above a number
    ({"a": 1}, ONES),
    ({"a": 1.0}, ONES),
    ({"a": True}, {"true", "[1,true]"}),
    ({"a": False}, {"false"}),
    ({"a": 0}, {"zero"}),
    ({"a": {"$in": [0, True]}}, {"zero", "true", "[1,true]"}),
    ({"a": {"$gt": False}}, {"true", "[1,true]"}),
    ({"a": {"$gt": 0}}, ONES | {"half", "long", "inf"}),
    ({"a": {"$gte": 0}}, ONES | {"zero", "half", "long", "inf"}),
    ({"a": {"$lt": 1}}, {"zero", "half"}),
    ({"a": {"$gt": 2**53}}, {"long", "inf"}),
    ({"a": 2**53}, set()),
    ({"a": 2**53 + 1}, {"long"}),
    ({"a": {"$gte": ""}}, TEXTS),
    ({"a": {"$gt": ""}}, {"text"}),
    ({"a": {"$lte": NOON}}, {"date"}),
    ({"a": datetime(2026, 1, 1, 12, tzinfo=UTC)}, {"date"}),
    ({"a": {"$gte": b""}}, {"bytes"}),
    ({"a": NAN}, {"nan"}),
    ({"a": {"$gte": NAN}}, {"nan"}),
    ({"a": {"$lte": NAN}}, {"nan"}),
    ({"a": {"$gt": NAN}}, set()),
    ({"a": {"$ne": NAN}}, ALL - {"nan"}),
    # documents are compared whole, with their order
    ({"a": {}}, {"{}", "[{b:1},{}]"}),
    ({"a": {"$eq": {}}}, {"{}", "[{b:1},{}]"}),
    ({"a": {"b": 1}}, {"{b:1}", "[{b:1},{b:9}]", "[{b:1},{}]"}),
    ({"a": {"b": 1.0}}, {"{b:1}", "[{b:1},{b:9}]", "[{b:1},{}]"}),
    ({"a": {"b": True}}, set()),
    ({"a": {"b": 1, "c": 2}}, {"{b:1,c:2}"}),
    ({"a": {"$gt": {}}}, OBJECTS - {"{}"} | {"[{b:1},{b:9}]", "[{b:1},{}]", "[{b:[1,5]}]"}),
    (
        {"a": {"$gte": {"b": 1}, "$lt": {"b": 2}}},
        {"{b:1}", "{b:1,c:2}", "[{b:1},{b:9}]"} | {"[{b:1},{}]"},
    ),
    ({"a": {"$in": [{}, []]}}, {"{}", "[]", "[[]]", "[{b:1},{}]"}),
    # lists: as a whole, or any item; two conditions may be met by two items
    ({"a": []}, {"[]", "[[]]"}),
    ({"a": [1, 5]}, {"[1,5]", "[[1,5]]"}),
    ({"a": [1, True]}, {"[1,true]"}),
    ({"a": [1, 1]}, set()),
    (
        {"a": {"$gt": [1]}},
        {"[1,true]", "[1,5]", "[[1,5]]", "[[]]"} | {"[{b:1},{b:9}]", "[{b:1},{}]", "[{b:[1,5]}]"},
    ),
    ({"a": {"$gt": 4, "$lt": 2}}, {"[1,5]"}),
    ({"a.b": {"$gt": 5, "$lt": 2}}, {"[{b:1},{b:9}]"}),
    ({"a.b": 5}, {"[{b:[1,5]}]"}),
    ({"a.0": 1}, {"[1,true]", "[1,5]"}),
    ({"a.0": [1, 5]}, {"[[1,5]]"}),
    ({"a.0.1": 5}, {"[[1,5]]"}),
    ({"a.0.b": 1}, {"[{b:1},{b:9}]", "[{b:1},{}]", "[{b:[1,5]}]"}),
    ({"a.1.b": {"$exists": True}}, {"[{b:1},{b:9}]"}),
    ({"a.00": 1}, set()),
    # $all
    ({"a": {"$all": []}}, set()),
    ({"a": {"$all": [1, 5]}}, {"[1,5]"}),
    ({"a": {"$all": [1]}}, ONES),
    ({"a": {"$all": [True]}}, {"true", "[1,true]"}),
    ({"a": {"$all": [None]}}, NULLS),
    ({"a": {"$all": [[1, 5]]}}, {"[1,5]", "[[1,5]]"}),
    ({"a": {"$all": [{"$elemMatch": {"b": 1}}, {"$elemMatch": {"b": 9}}]}}, {"[{b:1},{b:9}]"}),
    ({"a": {"$all": [re.compile("^Li")]}}, {"text"}),
    # $size
    ({"a": {"$size": 0}}, {"[]"}),
    ({"a": {"$size": 2}}, {"[1,true]", "[1,5]", "[{b:1},{b:9}]", "[{b:1},{}]"}),
    ({"a": {"$size": 1.0}}, {"[[]]", "[null]", "[[1,5]]", "[{b:[1,5]}]"}),
    ({"a.b": {"$size": 2}}, {"[{b:[1,5]}]"}),
    # $elemMatch
    ({"a": {"$elemMatch": {"$eq": 1}}}, {"[1,true]", "[1,5]"}),
    ({"a": {"$elemMatch": {"$eq": True}}}, {"[1,true]"}),
    ({"a": {"$elemMatch": {"$gt": 1, "$lt": 9}}}, {"[1,5]"}),
    ({"a": {"$elemMatch": {"$ne": 1}}}, LISTS - {"[]"}),
    ({"a": {"$elemMatch": {"$eq": None}}}, {"[null]"}),
    ({"a": {"$elemMatch": {}}}, {"[[]]", "[[1,5]]"} | {n for n in LISTS if n.startswith("[{")}),
    ({"a": {"$elemMatch": {"b": None}}}, {"[[]]", "[[1,5]]", "[{b:1},{}]"}),
    ({"a": {"$elemMatch": {"b": True}}}, set()),
    ({"a": {"$elemMatch": {"0": 1}}}, {"[[1,5]]"}),
    ({"a": {"$elemMatch": {"$size": 2}}}, {"[[1,5]]"}),
    ({"a": {"$elemMatch": {"$elemMatch": {"$gt": 4}}}}, {"[[1,5]]"}),
    (
        {"a": {"$elemMatch": {"$not": {"$type": "object"}}}},
        {"[[]]", "[null]", "[1,true]", "[1,5]", "[[1,5]]"},
    ),
    ({"a": {"$elemMatch": {"$or": [{"b": 9}, {"b": 5}]}}}, {"[{b:1},{b:9}]", "[{b:[1,5]}]"}),
    ({"a.b": {"$elemMatch": {"$gt": 4}}}, {"[{b:[1,5]}]"}),
    # $type
    ({"a": {"$type": "number"}}, NUMBERS | {"[1,true]", "[1,5]"}),
    ({"a": {"$type": "double"}}, {"half", "nan", "inf"}),
    ({"a": {"$type": "int"}}, {"zero", "one", "[1,true]", "[1,5]"}),
    ({"a": {"$type": 18}}, {"long"}),
    ({"a": {"$type": "javascript"}}, {"code"}),
    ({"a": {"$type": "string"}}, TEXTS),
    ({"a": {"$type": "bool"}}, FLAGS | {"[1,true]"}),
    ({"a": {"$type": "array"}}, LISTS),
    ({"a": {"$type": ["date", "binData"]}}, {"date", "bytes"}),
    ({"a": {"$type": 3}}, OBJECTS | {n for n in LISTS if n.startswith("[{")}),
    # $mod cuts fractions off and keeps the sign of the dividend
    ({"a": {"$mod": [4, 1]}}, {"one", "[1,true]", "[1,5]", "long"}),
    ({"a": {"$mod": [4.9, 1.2]}}, {"one", "[1,true]", "[1,5]", "long"}),
    ({"a": {"$mod": [5, 0]}}, {"zero", "half", "[1,5]"}),
    ({"a": {"$mod": [-5, 1]}}, {"one", "[1,true]", "[1,5]"}),
    # $regex
    ({"a": {"$regex": "^li"}}, set()),
    ({"a": {"$regex": "^li", "$options": "i"}}, {"text"}),
    ({"a": re.compile("o$", re.IGNORECASE)}, {"text"}),
    ({"a": Regex("o$", "i")}, {"text"}),
    ({"a": {"$regex": "[[:digit:]]"}}, {"text"}),
    ({"a": {"$regex": "^[[:alpha:]]+$"}}, set()),
    ({"a": {"$regex": r"^[[:upper:]\d][[:lower:]]"}}, {"text"}),
    ({"a": {"$regex": ""}}, TEXTS),
    ({"a": {"$in": [re.compile("^Li"), 0]}}, {"text", "zero"}),
    ({"a": {"$not": re.compile("^Li")}}, ALL - {"text"}),
    ({"a": {"$not": {"$regex": "^Li"}}}, ALL - {"text"}),
    # logic
    ({"a": {"$not": {"$gt": 0, "$lt": 1}}}, ALL - {"half"}),
    ({"$or": [{"a": 0}, {"a": "Li2O"}]}, {"zero", "text"}),
    ({"$nor": [{"a": {"$exists": True}}, {"a": 0}]}, {"none"}),
    ({"$and": [{"a": {"$gt": 0}}, {"a": {"$lt": 1}}]}, {"half"}),
]


def nested(levels, name):
    criteria = {"a": 1}
    for _ in range(levels // 2):
        criteria = {name: [criteria]}
    return criteria


REFUSED = [
    {"$or": []},
    {"$and": []},
    {"$nor": []},
    {"$or": {"a": 1}},
    {"$or": [1]},
    {"a": {"$in": 1}},
    {"a": {"$in": [{"$gt": 1}]}},
    {"a": {"$nin": "ab"}},
    {"a": {"$all": 1}},
    {"a": {"$all": [{"$gt": 1}]}},
    {"a": {"$all": [{"$elemMatch": {"$gt": 1}}, 5]}},
    {"a": {"$size": -1}},
    {"a": {"$size": 1.5}},
    {"a": {"$size": "2"}},
    {"a": {"$mod": [0, 1]}},
    {"a": {"$mod": [4]}},
    {"a": {"$mod": [4, 1, 2]}},
    {"a": {"$mod": [NAN, 1]}},
    {"a": {"$mod": ["4", 1]}},
    {"a": {"$mod": 4}},
    {"a": {"$type": "nonsense"}},
    {"a": {"$type": 0}},
    {"a": {"$type": []}},
    {"a": {"$elemMatch": 1}},
    {"a": {"$not": 1}},
    {"a": {"$not": {}}},
    {"a": {"$ne": re.compile("x")}},
    {"a": {"$gt": re.compile("x")}},
    {"a": {"$options": "i"}},
    {"a": {"$regex": 5}},
    {"a": {"$regex": "(", "$options": ""}},
    {"a": {"$regex": "x", "$options": "q"}},
    {"a": {"$regex": "x\0"}},
    {"a": {"$nonsense": 1}},
    {"a": {"$gt": 1, "b": 2}},
    {"$nonsense": 1},
    {"a": 2**63},
    {1: 2},
    nested(101, "$and"),
    nested(400, "$and"),
    nested(150, "$nor"),
    nested(400, "a"),
]
"""What the server, or its driver, refuses."""

NOT_SUPPORTED = [
    {"$where": "1"},
    {"$expr": {"$eq": ["$a", True]}},
    {"$text": {"$search": "x"}},
    {"$jsonSchema": {}},
    {"a": {"$bitsAllSet": 1}},
    {"a": {"$geoWithin": {}}},
    {"_id": None},
    {"$or": [{"_id": {"$exists": False}}]},
    {"a": Code("f")},
    {"a": {"$lt": Code("f")}},
    {"a": {"$regex": r"\p{Lu}"}},
    {"a": {"$regex": r"(?R)"}},
    {"a": {"$regex": r"\Qx\E"}},
    {"a": {"$regex": "a{,3}"}},
    {"a": {"$regex": "[[:^digit:]]"}},
    {"a": {"$regex": "[[.hyphen.]]"}},
]
"""What the server takes and the embedded store refuses."""

# From the least to the greatest; names in a tuple are equal.
ORDER = [
    ("[]",),
    ("none", "null", "[null]"),
    ("nan",),
    ("zero",),
    ("half",),
    ("one", "[1,true]", "[1,5]"),
    ("long",),
    ("inf",),
    ("empty text",),
    ("text",),
    ("{}", "[{b:1},{}]"),
    ("{b:null}",),
    ("{b:1}", "[{b:1},{b:9}]"),
    ("{b:1,c:2}",),
    ("{c:2,b:1}",),
    ("[{b:[1,5]}]",),
    ("[[]]",),
    ("[[1,5]]",),
    ("bytes",),
    ("false",),
    ("true",),
    ("date",),
    ("code",),
]
