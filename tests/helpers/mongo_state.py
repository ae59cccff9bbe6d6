"""The state of the test server in an SQLite file, written before a command is confirmed."""

import sqlite3

import bson
from bson.codec_options import CodecOptions

OPTIONS = CodecOptions(tz_aware=False)
SCHEMA = """
CREATE TABLE IF NOT EXISTS documents(
  space TEXT, key BLOB, body BLOB, PRIMARY KEY(space, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS indexes(
  space TEXT, name TEXT, body BLOB, PRIMARY KEY(space, name)) WITHOUT ROWID;
"""


class State:
    """Documents and indexes by name space (``database.collection``)."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.executescript(SCHEMA)

    def load(self):
        """Yield (space, documents, index specifications)."""
        spaces = self.db.execute(
            "SELECT space FROM documents UNION SELECT space FROM indexes"
        ).fetchall()
        for (space,) in spaces:
            yield space, self._bodies("documents", space), self._bodies("indexes", space)

    def _bodies(self, table, space):
        rows = self.db.execute(f"SELECT body FROM {table} WHERE space = ?", (space,))
        return [bson.decode(body, OPTIONS) for (body,) in rows]

    def save(self, space, documents):
        """Write documents, given by their ``_id``; None for one that is gone."""
        with self.db:
            for key, document in documents.items():
                row = (space, bson.encode({"": key}))
                if document is None:
                    self.db.execute("DELETE FROM documents WHERE space = ? AND key = ?", row)
                else:
                    body = bson.encode(document)
                    self.db.execute("REPLACE INTO documents VALUES (?, ?, ?)", (*row, body))

    def save_index(self, space, specification):
        row = (space, specification["name"], bson.encode(specification))
        with self.db:
            self.db.execute("REPLACE INTO indexes VALUES (?, ?, ?)", row)

    def drop_index(self, space, name):
        with self.db:
            self.db.execute(
                "DELETE FROM indexes WHERE space = ? AND (name = ? OR ? = '*')",
                (space, name, name),
            )

    def drop(self, space):
        """Forget a name space, or all of a database (``database.``)."""
        pattern = space + "%" if space.endswith(".") else space
        with self.db:
            for table in ("documents", "indexes"):
                self.db.execute(f"DELETE FROM {table} WHERE space LIKE ?", (pattern,))

    def rename(self, old, new):
        with self.db:
            for table in ("documents", "indexes"):
                self.db.execute(f"DELETE FROM {table} WHERE space = ?", (new,))
                self.db.execute(f"UPDATE {table} SET space = ? WHERE space = ?", (new, old))
