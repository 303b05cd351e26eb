"""A small Panoptes with its storage and its Caesar, spoken to over real HTTP on 127.0.0.1.

It answers what crosspatch and panoptes-client ask, in their protocol (JSON API media type, sign-in
with a CSRF token and a cookie, OAuth token, ETag and If-Match, pages, media that are put where the
answer says), and it can be told to make trouble: see `Server.trouble`.
"""

import base64
import gzip
import hashlib
import itertools
import json
import random
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LOGIN, PASSWORD = "kelp-team", "correct horse battery"
PROJECT, OTHERS_PROJECT, WORKFLOW = "12", "13", "34"


@dataclass
class Trouble:
    """What happens to requests whose "METHOD /path" matches: ``times`` of them.

    ``kind``: "status" answers ``status``; "refuse" hangs up before anything is done; "lose" does
    it and hangs up before the answer; "cut" hangs up half-way through the answer's body; "slow"
    waits ``seconds`` first.
    """

    pattern: str
    kind: str
    times: int = 1
    status: int = 500
    headers: dict = field(default_factory=dict)
    seconds: float = 0.0
    skip: int = 0


class World:
    """What the server holds, under one lock."""

    def __init__(self):
        self.lock = threading.RLock()
        self.ids = itertools.count(1001)
        self.tokens = set()
        self.cookies = set()
        self.rights = {PROJECT}
        self.project = {"id": PROJECT, "slug": "kelp/kelp", "display_name": "Kelp"}
        tool = {"type": "freehandLine", "label": "T0.tools.0.label", "details": []}
        self.workflow = {
            "id": WORKFLOW,
            "display_name": "Draw",
            "version": "11.14",
            "first_task": "T0",
            "prioritized": True,
            "configuration": {"enable_caesar_data_fetching": True},
            "tasks": {"T0": {"type": "drawing", "tools": [tool], "instruction": "x"}},
            "steps": [["S0", {"taskKeys": ["T0"]}]],
            "links": {"project": PROJECT, "subject_sets": []},
        }
        self.subjects, self.sets, self.members = {}, {}, {}
        self.retired = {}
        self.blobs, self.types = {}, {}
        self.exports = {}
        self.media = {}
        self.reducers = [{"id": 1, "key": "machineLearnt", "type": "first_extract"}]
        self.extracts = {}
        self.imports = 0
        self.exports_asked = []
        self.making = 0  # looks at an export before it is ready
        self.gzipped = False
        self.told_md5 = None  # a wrong checksum to tell


class Server:
    """``with Server() as server``: runs until the end of the block; ``server.world`` is inside."""

    def __init__(self):
        self.world = World()
        self.troubles = []
        self.requests = []
        self.dice, self.rate = random.Random(0), 0.0
        self.dice_kinds = ("refuse", "lose", "status")
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self):
        threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *exc):
        self._http.shutdown()
        self._http.server_close()

    @property
    def environment(self):
        """What a user would set."""
        return {
            "PANOPTES_ENDPOINT": self.url,
            "CAESAR_ENDPOINT": f"{self.url}/caesar",
            "PANOPTES_USERNAME": LOGIN,
            "PANOPTES_PASSWORD": PASSWORD,
        }

    def trouble(self, pattern, kind, **more):
        """Make trouble for the next requests that match."""
        self.troubles.append(Trouble(pattern, kind, **more))

    def due(self, what):
        """The trouble that a request is in for, if any."""
        with self.world.lock:
            for one in self.troubles:
                if one.times > 0 and re.search(one.pattern, what):
                    if one.skip > 0:
                        one.skip -= 1
                        continue
                    one.times -= 1
                    return one
            if self.rate and self.dice.random() < self.rate:
                return Trouble("", self.dice.choice(self.dice_kinds))
        return None

    def export(self, kind, text, owner=f"projects/{PROJECT}"):
        """Let there be an export: its rows when it is ready."""
        self.world.exports[f"{owner}/{kind}_export"] = {"text": text, "made": False, "looks": 0}

    def count(self, pattern):
        """How many requests matched."""
        return sum(bool(re.search(pattern, one)) for one in self.requests)


class ProblemError(Exception):
    def __init__(self, status, message="", headers=None):
        super().__init__(message)
        self.status, self.headers = status, headers or {}


def _etag(thing):
    return f'W/"{hashlib.md5(json.dumps(thing, sort_keys=True).encode()).hexdigest()}"'


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def _any(self):
            length = int(self.headers.get("Content-Length") or 0)
            self.data = self.rfile.read(length)
            if len(self.data) < length:
                return self._hang_up()
            parts = urlsplit(self.path)
            self.query = {key: one[0] for key, one in parse_qs(parts.query).items()}
            what = f"{self.command} {parts.path}"
            with server.world.lock:
                server.requests.append(what)
            trouble = server.due(what)
            kind = trouble.kind if trouble else ""
            if kind == "slow":
                time.sleep(trouble.seconds)
            if kind == "refuse":
                return self._hang_up()
            if kind == "status":
                body = json.dumps({"errors": [{"message": "trouble"}]}).encode()
                return self._answer(trouble.status, body, trouble.headers)
            try:
                status, body, headers = Api(server, self).answer(parts.path)
            except ProblemError as problem:
                body = json.dumps({"errors": [{"message": str(problem)}]}).encode()
                status, headers = problem.status, problem.headers
            if kind == "lose":
                return self._hang_up()
            return self._answer(status, body, headers, cut=kind == "cut")

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815

        def _hang_up(self):
            self.close_connection = True

        def _answer(self, status, body, headers, cut=False):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body[: len(body) // 2] if cut else body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            if cut:
                self._hang_up()

    return Handler


class Api:
    """Answers one request."""

    def __init__(self, server, request):
        self.server, self.world, self.request = server, server.world, request
        self.headers, self.query, self.method = request.headers, request.query, request.command

    def answer(self, path):
        if path.startswith("/storage/"):
            return self.storage(path)
        with self.world.lock:
            if path == "/users/sign_in":
                return self.sign_in()
            if path == "/oauth/token":
                return self.token()
            if path.startswith("/caesar/"):
                self.need_token()
                return self.caesar(path.removeprefix("/caesar/"))
            if not path.startswith("/api/"):
                raise ProblemError(404, "no route")
            self.need_token()
            if "vnd.api+json; version=1" not in self.headers.get("Accept", ""):
                raise ProblemError(406, "not the API's media type")
            if self.method != "GET" and self.headers.get("Content-Type") != "application/json":
                raise ProblemError(415, "not JSON")
            return self.api(path.removeprefix("/api/").split("/"))

    # -- who is it

    def sign_in(self):
        if self.method == "GET":
            return 200, b"{}", {"x-csrf-token": "csrf-1"}
        body = json.loads(self.request.data)
        user = body.get("user", {})
        if body.get("authenticity_token") != "csrf-1":
            raise ProblemError(422, "no CSRF token")
        if (user.get("login"), user.get("password")) != (LOGIN, PASSWORD):
            return 401, json.dumps({"error": f"Invalid login: {user.get('password')}"}).encode(), {}
        cookie = f"session-{next(self.world.ids)}"
        self.world.cookies.add(cookie)
        done = {"users": [{"id": "7", "login": LOGIN}]}
        return 200, json.dumps(done).encode(), {"Set-Cookie": f"panoptes={cookie}; Path=/"}

    def token(self):
        form = {key: one[0] for key, one in parse_qs(self.request.data.decode()).items()}
        cookie = self.headers.get("Cookie", "").partition("panoptes=")[2].split(";")[0]
        by_name = form.get("grant_type") == "password" and cookie in self.world.cookies
        by_secret = form.get("grant_type") == "client_credentials" and (
            form.get("client_secret") == PASSWORD
        )
        if not (by_name or by_secret):
            return 401, json.dumps({"errors": "invalid_grant"}).encode(), {}
        token = f"token-{next(self.world.ids)}"
        self.world.tokens.add(token)
        done = {"access_token": token, "token_type": "bearer", "expires_in": 7200}
        return 200, json.dumps(done).encode(), {}

    def need_token(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.world.tokens:
            raise ProblemError(401, "You must be logged in to access this resource.")

    # -- the API

    def api(self, parts):
        body = json.loads(self.request.data) if self.request.data else {}
        match self.method, *parts:
            case "GET", "projects", number:
                return self.one("projects", self.known_project(number))
            case "GET", "workflows", number if number == WORKFLOW:
                return self.one("workflows", self.world.workflow)
            case _, ("projects" | "workflows") as kind, number, what if what.endswith("_export"):
                return self.export(kind, number, what)
            case _, "projects", number, "attached_images":
                self.need_rights(number)
                return self.attach(body)
            case "GET", "projects", _, "attached_images", number:
                return self.many("media", [self.medium(number, "GET")])
            case "POST", "workflows", _, "links", "subject_sets":
                links = self.world.workflow["links"]["subject_sets"]
                links += [one for one in body["subject_sets"] if one not in links]
                return self.one("workflows", self.world.workflow)
            case "POST", "workflows", _, "retired_subjects":
                for one in body["subject_ids"]:
                    self.known_subject(one)
                for one in body["subject_ids"]:
                    self.world.retired.setdefault(str(one), []).append(body["retirement_reason"])
                return 204, b"", {}
            case "GET", "subject_workflow_statuses":
                return self.statuses()
            case "POST", "subject_sets":
                return self.make_set(body["subject_sets"])
            case "GET", "subject_sets":
                return self.list_sets()
            case "GET", "subject_sets", number:
                return self.one("subject_sets", self.world.sets[number])
            case "POST", "subject_sets", number, "links", "subjects":
                return self.link(number, body["subjects"])
            case "GET", "set_member_subjects":
                return self.list_members()
            case "POST", "subjects":
                return self.make_subject(body["subjects"])
            case "GET", "subjects":
                return self.list_subjects()
            case (("GET" | "PUT" | "DELETE"), "subjects", number):
                return self.subject(self.known_subject(number), body)
        raise ProblemError(404, f"no route for {self.method} {'/'.join(parts)}")

    def need_rights(self, project):
        if str(project) not in self.world.rights:
            raise ProblemError(403, "You do not have the rights to do this")

    def known_project(self, number):
        if number == PROJECT:
            return self.world.project
        if number == OTHERS_PROJECT:
            return self.world.project | {"id": OTHERS_PROJECT, "slug": "other/other"}
        raise ProblemError(404, f"Could not find project with id='{number}'")

    def known_subject(self, number):
        found = self.world.subjects.get(str(number))
        if found is None:
            raise ProblemError(404, f"Could not find subject with id='{number}'")
        return found

    def one(self, slug, thing, status=200):
        body = {slug: [thing], "links": {}, "meta": {slug: {"page": 1, "page_count": 1}}}
        return status, json.dumps(body).encode(), {"ETag": _etag(thing)}

    def many(self, slug, things):
        size, page = int(self.query.get("page_size", 20)), int(self.query.get("page", 1))
        count = max(1, -(-len(things) // size))
        meta = {"page": page, "page_count": count, "count": len(things)}
        listed = things[(page - 1) * size : page * size]
        return 200, json.dumps({slug: listed, "meta": {slug: meta}}).encode(), {}

    def export(self, kind, number, what):
        if kind == "projects":
            self.known_project(number)
            self.need_rights(number)
        export = self.world.exports.get(f"{kind}/{number}/{what}")
        if export is None:
            raise ProblemError(404, f"No {what} exists for {kind} #{number}")
        if self.method == "POST":
            self.world.exports_asked.append(what)
            export |= {"made": True, "looks": 0, "number": str(next(self.world.ids))}
        if not export["made"]:
            raise ProblemError(404, f"No {what} exists for {kind} #{number}")
        ready = export["looks"] >= self.world.making
        export["looks"] += self.method == "GET"
        place = f"/storage/{what}.csv"
        data = export["text"].encode()
        self.world.blobs[place] = gzip.compress(data, mtime=0) if self.world.gzipped else data
        self.world.types[place] = "text/csv"
        medium = {
            "id": export.get("number", "1"),
            "src": f"{self.server.url}{place}?sig=signed-secret",
            "content_type": "text/csv",
            "updated_at": "2026-11-25T10:00:00.000Z",
            "metadata": {"state": "ready" if ready else "creating"},
        }
        return self.one("media", medium, 201 if self.method == "POST" else 200)

    def attach(self, body):
        number = str(next(self.world.ids))
        self.world.media[number] = body["media"]["content_type"]
        return self.one("media", self.medium(number, "PUT"), 201)

    def medium(self, number, method):
        if number not in self.world.media:
            raise ProblemError(404, "No attached image")
        sign = "?sig=signed-secret" if method == "PUT" else ""
        kind = self.world.media[number]
        return {
            "id": number,
            "src": f"{self.server.url}/storage/media/{number}{sign}",
            "content_type": kind,
        }

    def make_set(self, body):
        self.need_rights(body["links"]["project"])
        number = str(next(self.world.ids))
        made = {
            "id": number,
            "display_name": body["display_name"],
            "metadata": body.get("metadata") or {},
            "created_at": _now(),
            "links": {"project": str(body["links"]["project"]), "workflows": []},
        }
        self.world.sets[number] = made
        return self.one("subject_sets", made, 201)

    def list_sets(self):
        wanted = {
            key.removeprefix("metadata."): value
            for key, value in self.query.items()
            if key.startswith("metadata.")
        }
        return self.many(
            "subject_sets",
            [
                one
                for one in self.world.sets.values()
                if self.query.get("project_id") in (None, one["links"]["project"])
                and wanted.items() <= one["metadata"].items()
            ],
        )

    def link(self, number, subjects):
        if number not in self.world.sets:
            raise ProblemError(404, f"Could not find subject_set with id='{number}'")
        if any(str(one) not in self.world.subjects for one in subjects):
            raise ProblemError(422, "Error: check the subject set and all the subjects exist.")
        for one in map(str, subjects):
            member = (number, one)
            if member not in self.world.members:
                metadata = self.world.subjects[one]["metadata"]
                self.world.members[member] = metadata.get("#priority")
        return self.one("subject_sets", self.world.sets[number])

    def list_members(self):
        return self.many(
            "set_member_subjects",
            [
                {"id": f"{group}-{one}", "priority": priority,
                 "links": {"subject": one, "subject_set": group}}
                for (group, one), priority in self.world.members.items()
                if self.query.get("subject_set_id") in (None, group)
                and self.query.get("subject_id") in (None, one)
            ],
        )  # fmt: skip

    def make_subject(self, body):
        assert set(body) <= {"locations", "metadata", "links"}, body
        self.need_rights(body["links"]["project"])
        number = str(next(self.world.ids))
        subject = {
            "id": number,
            "metadata": body["metadata"],
            "locations": [
                {mime: f"{self.server.url}/storage/subject/{number}-{index}"}
                for index, mime in enumerate(body["locations"])
            ],
            "created_at": _now(),
            "updated_at": _now(),
            "links": {"project": str(body["links"]["project"])},
        }
        self.world.subjects[number] = subject
        signed = subject | {
            "locations": [
                {mime: f"{url}?sig=signed-secret" for mime, url in one.items()}
                for one in subject["locations"]
            ]
        }
        status, _, _ = self.one("subjects", subject, 201)
        return status, json.dumps({"subjects": [signed]}).encode(), {"ETag": _etag(subject)}

    def list_subjects(self):
        chosen = [
            one
            for one in self.world.subjects.values()
            if self.query.get("project_id") in (None, one["links"]["project"])
            and (
                "subject_set_id" not in self.query
                or (self.query["subject_set_id"], one["id"]) in self.world.members
            )
        ]
        return self.many("subjects", chosen)

    def subject(self, found, body):
        if self.method == "GET":
            return self.one("subjects", found)
        shown = self.headers.get("If-Match")
        if not shown:
            raise ProblemError(428, "Request requires If-Match header to be present")
        if shown != _etag(found):
            raise ProblemError(412, "Request has a stale ETag")
        if self.method == "DELETE":
            del self.world.subjects[found["id"]]
            return 204, b"", {}
        for index, mime in enumerate(body["subjects"].get("locations", ())):
            assert list(found["locations"][index]) == [mime]
        found |= {"metadata": body["subjects"].get("metadata", found["metadata"])}
        signed = found | {
            "locations": [
                {mime: f"{url}?sig=signed-secret" for mime, url in one.items()}
                for one in found["locations"]
            ]
        }
        return 200, json.dumps({"subjects": [signed]}).encode(), {"ETag": _etag(found)}

    def statuses(self):
        numbers = self.query.get("subject_ids", self.query.get("subject_id", "")).split(",")
        return self.many(
            "subject_workflow_statuses",
            [
                {"id": one, "retired_at": "2026-11-25T10:00:00Z", "links": {"subject": one}}
                for one in map(unquote, numbers)
                if one in self.world.retired
            ],
        )

    # -- Caesar: extracts are taken from a file at a public address, one a subject and key

    def caesar(self, path):
        if path == f"workflows/{WORKFLOW}/reducers" and self.method == "GET":
            return 200, json.dumps(self.world.reducers).encode(), {}
        if path == f"workflows/{WORKFLOW}/extracts/import" and self.method == "POST":
            place = urlsplit(json.loads(self.request.data)["file"]).path
            self.world.imports += 1
            import csv
            import io

            for row in csv.DictReader(io.StringIO(self.world.blobs[place].decode())):
                key = row["subject_id"], row["extractor_key"]
                self.world.extracts[key] = json.loads(row["data"])
            return 204, b"", {}
        raise ProblemError(404, "no route in Caesar")

    # -- storage: no token, whole files or ranges of them

    def storage(self, path):
        world = self.world
        assert "Authorization" not in self.headers, "a token was shown to the storage"
        if self.method == "PUT":
            assert self.headers.get("x-ms-blob-type") == "BlockBlob"
            if "sig=signed-secret" not in self.request.path:
                raise ProblemError(403, "not signed")
            with world.lock:
                world.blobs[path] = self.request.data
                world.types[path] = self.headers["Content-Type"]
            return 201, b"", {}
        data = world.blobs.get(path)
        if data is None:
            raise ProblemError(404, "no such blob")
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        headers = {"ETag": etag, "Content-Type": world.types[path], "Accept-Ranges": "bytes"}
        headers["x-ms-blob-content-md5"] = world.told_md5 or md5
        if world.gzipped and path.endswith(".csv"):
            headers["Content-Encoding"] = "gzip"
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found and self.headers.get("If-Range") in (None, etag):
            start = int(found[1])
            if start >= len(data):
                raise ProblemError(416, "range", {"Content-Range": f"bytes */{len(data)}"})
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return 206, data[start:], headers
        return 200, data, headers


def _now():
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
