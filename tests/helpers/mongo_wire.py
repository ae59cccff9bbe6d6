"""A MongoDB server for tests: the wire protocol on loopback in front of mongomock-ng.

Lets tests drive real ``lpad`` and ``rlaunch`` processes over pymongo where no MongoDB is installed.
It is a test double: no authentication, no transactions, one command at a time. With a state file
it survives kill -9 with every confirmed write, as a journaling MongoDB does.

Usage: ``python mongo_wire.py PORT [STATE.sqlite]``; port 0 takes a free one. Prints the port.
"""

import logging
import socketserver
import struct
import sys

import bson
from bson.codec_options import CodecOptions

from helpers import mongo_index
from helpers.mongo_commands import CommandError, Engine

OP_MSG, OP_QUERY, OP_REPLY = 2013, 2004, 1
CHECKSUM_PRESENT, MORE_TO_COME = 1, 2
OPTIONS = CodecOptions(tz_aware=False)
HEADER = struct.Struct("<iiii")  # length, request id, response to, operation


def parse_message(body):
    """Return the flags and the command of an OP_MSG body.

    Section kind 0 is the command; kind 1 is a sequence of documents that belongs into one of the
    command's fields.
    """
    flags = struct.unpack_from("<I", body)[0]
    position = 4
    end = len(body) - (4 if flags & CHECKSUM_PRESENT else 0)
    command, sequences = {}, {}
    while position < end:
        kind = body[position]
        position += 1
        size = struct.unpack_from("<i", body, position)[0]
        section = body[position : position + size]
        if kind == 0:
            command = bson.decode(section, OPTIONS)
        else:
            name_end = section.index(b"\0", 4)
            name = section[4:name_end].decode()
            sequences[name] = bson.decode_all(section[name_end + 1 :], OPTIONS)
        position += size
    return flags, {**command, **sequences}


def parse_query(body):
    """Return the command in an OP_QUERY body, which drivers use for their first greeting."""
    name_end = body.index(b"\0", 4)
    command = bson.decode(body[name_end + 9 :], OPTIONS)
    command.setdefault("$db", body[4:name_end].decode().split(".")[0])
    return command


class Connection(socketserver.BaseRequestHandler):
    """One client; answers its messages in order."""

    def handle(self):
        try:
            while True:
                length, request_id, _, operation = HEADER.unpack(self.receive(HEADER.size))
                body = self.receive(length - HEADER.size)
                if operation == OP_MSG:
                    flags, command = parse_message(body)
                    reply = self.answer(command)
                    if not flags & MORE_TO_COME:
                        payload = struct.pack("<IB", 0, 0) + bson.encode(reply)
                        self.send(request_id, OP_MSG, payload)
                elif operation == OP_QUERY:
                    reply = bson.encode(self.answer(parse_query(body)))
                    self.send(request_id, OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + reply)
                else:
                    return
        except (EOFError, ConnectionError):
            return

    def receive(self, size):
        received = bytearray()
        while len(received) < size:
            part = self.request.recv(min(1 << 20, size - len(received)))
            if not part:
                raise EOFError
            received += part
        return bytes(received)

    def send(self, request_id, operation, payload):
        header = HEADER.pack(HEADER.size + len(payload), request_id, request_id, operation)
        self.request.sendall(header + payload)

    def answer(self, command):
        try:
            return {**self.server.engine.run(command), "ok": 1.0}
        except CommandError as error:
            return {"ok": 0.0, "errmsg": str(error), "code": error.code}
        except ConnectionError:
            raise
        except Exception as error:  # whatever goes wrong in the engine is the client's to see
            logging.exception("command failed: %.300r", command)
            return {"ok": 0.0, "errmsg": f"{type(error).__name__}: {error}", "code": 8}


class Server(socketserver.ThreadingTCPServer):
    """Listens on loopback alone."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port, state_file=None):
        self.engine = Engine(state_file)
        super().__init__(("127.0.0.1", port), Connection)


def main(port, state_file=None):
    logging.basicConfig(level=logging.WARNING)
    mongo_index.install()
    with Server(int(port), state_file) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
