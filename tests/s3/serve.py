"""S3 on loopback for one test: moto, with requests that fail on purpose in front of it.

Prints its port, and ends when its standard input does. PUT /-/faults takes
{"before": percent, "after": percent, "seed": number}: so many requests fail before they take effect
(500, 503, or a connection cut), or take effect and are cut then. GET /-/requests tells how many came
since it was asked last, by method and area.
"""

import collections
import json
import random
import re
import socket
import sys
import threading
import urllib.request

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

AREA = re.compile(r"/(data|epochs|manifests)(/|$)")


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        pass


class Faulty:
    def __init__(self, app):
        self.app, self.lock = app, threading.Lock()
        self.condition = threading.Lock()
        self.before = self.after = 0
        self.random, self.requests = random.Random(0), collections.Counter()

    def __call__(self, environ, start):
        path = environ["PATH_INFO"]
        if path == "/-/faults":
            wanted = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            with self.lock:
                self.before, self.after = wanted["before"], wanted["after"]
                self.random = random.Random(wanted["seed"])
            return answer(start, b"")
        with self.lock:
            if path == "/-/requests":
                told, self.requests = dict(self.requests), collections.Counter()
                return answer(start, json.dumps(told).encode())
            self.requests[environ["REQUEST_METHOD"] + " " + area(environ)] += 1
            chance, kind = self.random.random() * 100, self.random.randrange(3)
        if chance < self.before:
            # What was sent is read, or the connection could not be used again.
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            if kind == 2:
                return cut(environ, start)
            status = ["500 Internal Server Error", "503 Slow Down"][kind]
            return answer(start, b"<Error><Code>Fault</Code></Error>", status)
        if chance < self.before + self.after:
            self.take(environ, lambda *_: None)
            return cut(environ, start)
        return self.take(environ, start)

    def take(self, environ, start):
        if "HTTP_IF_NONE_MATCH" not in environ:
            return list(self.app(environ, start))
        # moto looks and writes in two steps, and S3 in one.
        with self.condition:
            return list(self.app(environ, start))


def area(environ):
    found = AREA.search(environ["PATH_INFO"]) or AREA.search(environ["QUERY_STRING"].replace("%2F", "/"))
    return found.group(1) if found else "other"


def answer(start, body, status="200 OK"):
    start(status, [("Content-Length", str(len(body)))])
    return [body]


def cut(environ, start):
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return answer(start, b"")


def main():
    faulty = Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, faulty, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/bucket"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT")).close()
    print(server.server_port, flush=True)
    sys.stdin.read()


main()
