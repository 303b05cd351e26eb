"""The web application: addresses in, what the desk says out. It knows no paths and no names."""

from collections.abc import Callable
from importlib.resources import files as package_files
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp

from crosspatch.errors import CrosspatchError, InputError
from crosspatch.files import fingerprint_bytes
from crosspatch.reviewing.desk import Desk
from crosspatch.reviewing.guard import Guard
from crosspatch.reviewing.harvest import make_planned, plan_dataset
from crosspatch.reviewing.pixels import packed
from crosspatch.reviewing.store import ConflictError, Decision, State

LARGEST_BODY = 64 * 2**20
"""Bytes of one change; the page sends more in several."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_REFUSED, _CONFLICT, _GONE, _TOO_LARGE, _NO_ROOM = 422, 409, 410, 413, 507


class Verdict(BaseModel):
    """What the page sends when somebody decides or writes a note."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=0)
    decision: Decision
    note: str = Field(max_length=5000)


def make_app(desk: Desk, *, token: str, port: int) -> ASGIApp:
    """Build the application around a desk.

    Parameters
    ----------
    desk : the subjects and their reviews
    token : the secret of the link
    port : that the server listens on
    """
    # The generated documentation loads its scripts from elsewhere: there is none.
    stamp = _stamp(desk)
    same = Depends(_refuse_others(stamp))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[same])
    _add_errors(app)
    _add_page(app)
    _add_reading(app, desk, stamp)
    _add_writing(app, desk)
    return Guard(app, token=token, port=port)


class OtherReviewError(CrosspatchError):
    """A page that was opened for another folder, or in another order."""

    def __init__(self) -> None:
        super().__init__(
            "crosspatch review was started again, for another folder or with its images in another "
            "order. Open the link that it prints for this page's folder"
        )


def _stamp(desk: Desk) -> str:
    """Return what tells this folder, and which number is which subject, from every other."""
    material = desk.material
    words = [str(material.path.resolve()), *(item.name for item in material.items)]
    return fingerprint_bytes("\0".join(words).encode())[:16]


def _refuse_others(stamp: str) -> Callable[..., None]:
    """Refuse a page that outlived its server: its numbers may be those of other subjects."""

    def refuse_others(x_review: Annotated[str | None, Header()] = None) -> None:
        if x_review not in (None, stamp):
            raise OtherReviewError

    return refuse_others


def _add_errors(app: FastAPI) -> None:
    def say(_: Request, error: Exception) -> JSONResponse:
        if isinstance(error, ConflictError):
            return JSONResponse({"message": str(error), "state": vars(error.state)}, _CONFLICT)
        if isinstance(error, OtherReviewError):
            return JSONResponse({"message": str(error)}, _GONE)
        status = _REFUSED if isinstance(error, InputError) else _NO_ROOM
        return JSONResponse({"message": str(error)}, status)

    app.add_exception_handler(CrosspatchError, say)


def _add_page(app: FastAPI) -> None:
    """Serve the files of ``static/``, read once: no path of a request ever reaches the disk."""
    folder = package_files("crosspatch.reviewing") / "static"
    page = {
        one.name: (one.read_bytes(), kind)
        for one in folder.iterdir()
        if (kind := _TYPES.get("." + one.name.rpartition(".")[2]))
    }

    @app.get("/")
    def index() -> Response:
        return Response(page["index.html"][0], media_type=page["index.html"][1])

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in page:
            return JSONResponse({"message": "there is no such file"}, 404)
        return Response(page[name][0], media_type=page[name][1])


def _add_reading(app: FastAPI, desk: Desk, stamp: str) -> None:
    @app.get("/api/folder")
    def folder() -> dict[str, Any]:
        return desk.listing() | {"review": stamp}

    @app.get("/api/states")
    def states() -> dict[int, dict[str, Any]]:
        return desk.states()

    @app.get("/api/dataset")
    def planned() -> dict[str, Any]:
        return plan_dataset(desk)

    @app.get("/api/subjects/{number}")
    def subject(number: int) -> dict[str, Any]:
        return desk.describe(number)

    @app.get("/api/subjects/{number}/thumbnail")
    def thumbnail(number: int, request: Request) -> Response:
        # Another review at this address, of other masks, must not be shown what a browser has kept:
        # it asks each time, and is told when nothing has changed.
        drawn = desk.thumbnail(number)
        tag = f'"{fingerprint_bytes(drawn)[:32]}"'
        headers = {"cache-control": "private, no-cache", "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(drawn, media_type="image/jpeg", headers=headers)

    @app.get("/api/subjects/{number}/tile/{level}/{row}/{col}")
    def tile(number: int, level: int, row: int, col: int, bands: str) -> Response:
        chosen = _bands(bands)
        drawn = desk.view(number).pyramid.tile(level, row, col, chosen)
        return Response(drawn, media_type="image/png")

    @app.get("/api/subjects/{number}/mask")
    def mask(number: int) -> Response:
        return _packed(packed(desk.mask(number)))

    @app.get("/api/subjects/{number}/original")
    def original(number: int) -> Response:
        return _packed(packed(desk.original(number)))

    @app.get("/api/subjects/{number}/probability")
    def probability(number: int) -> Response:
        return _packed(packed(desk.probability(number)))

    @app.get("/api/subjects/{number}/votes")
    def votes(number: int) -> Response:
        steps, voters = desk.votes(number)
        return _packed(packed(steps), {"x-voters": str(voters)})


def _add_writing(app: FastAPI, desk: Desk) -> None:
    @app.put("/api/subjects/{number}/review")
    def review(number: int, verdict: Verdict) -> dict[str, Any]:
        return vars(desk.decide(number, verdict.version, verdict.decision, verdict.note))

    @app.patch("/api/subjects/{number}/mask")
    async def change(
        number: int,
        request: Request,
        version: Annotated[int, Query(ge=0)],
        threshold: Annotated[float | None, Query(ge=0, le=1)] = None,
    ) -> Response:
        changes = await _body(request)
        if changes is None:
            return JSONResponse({"message": "a change is too large: save in parts"}, _TOO_LARGE)
        state: State = await run_in_threadpool(desk.save_mask, number, version, changes, threshold)
        return JSONResponse(vars(state))

    @app.post("/api/dataset")
    def dataset() -> dict[str, Any]:
        return make_planned(desk)


async def _body(request: Request) -> bytes | None:
    """Read a request's body, up to the limit; None where there is more."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def _bands(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"{text!r} are no bands: write numbers from 0, such as 2,1,0") from None


def _packed(data: bytes, more: dict[str, str] | None = None) -> Response:
    headers = {"content-encoding": "gzip"} | (more or {})
    return Response(data, media_type="application/octet-stream", headers=headers)
