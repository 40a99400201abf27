"""The pictures of a request: its body, or the files of a form."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from moeclip_cli.server.problems import ProblemError

_FORM = "multipart/form-data"
_FORM_HEADER = f"{_FORM}; boundary=..."


@dataclass(frozen=True)
class Picture:
    """The content of an image file.

    Attributes:
        name: of the file in a form; "" for the body of a request.
        content: the bytes of the file.
    """

    name: str
    content: bytes


def is_form(request: Request) -> bool:
    """Whether the body of a request is a form.

    Raises:
        ProblemError: if it is encoded in a way that the server does not read.
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise ProblemError(
            415, f"Content-Encoding {encoding} is not supported; send the plain file."
        )
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/") and kind != _FORM:
        raise ProblemError(415, f"{kind} is not supported; send several pictures as {_FORM}.")
    return kind == _FORM


async def read_pictures(
    request: Request, body: AsyncGenerator[bytes, None], *, form: bool, most: int
) -> list[Picture]:
    """The pictures of a request, at least one.

    Args:
        request: the request.
        body: the parts of its body.
        form: whether the body is a form.
        most: largest number of pictures.

    Raises:
        ProblemError: if there are none, too many, or the form is damaged.
        starlette.requests.ClientDisconnect: if the body ends early.
    """
    async with aclosing(body) as parts:
        if form:
            pictures = await _files(request, parts, most)
        else:
            pictures = [Picture("", b"".join([part async for part in parts]))]
    if not any(picture.content for picture in pictures):
        raise ProblemError(400, "There is no picture; send the bytes of an image file as the body.")
    return pictures


class _Parser(MultiPartParser):
    """A parser that knows whether the form was complete."""

    complete = False

    def on_end(self) -> None:
        self.complete = True


async def _files(request: Request, body: AsyncGenerator[bytes, None], most: int) -> list[Picture]:
    parser = _Parser(request.headers, body, max_files=most, max_fields=0)
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError) as error:  # the second by Starlette before 1.1
        if "Too many files" in str(error):
            raise ProblemError(413, f"A form may contain {most} pictures; send several.") from error
        if "Too many fields" in str(error):
            raise ProblemError(
                400, "Every part of the form must be a file; give it a file name."
            ) from error
        raise ProblemError(400, f"The body is not valid {_FORM_HEADER}; use a library.") from error
    try:
        if not parser.complete:
            raise ProblemError(
                400, "The form is cut off: its last boundary is missing; send it again."
            )
        files = [each for _, each in form.multi_items() if isinstance(each, UploadFile)]
        return [Picture(each.filename or "", await each.read()) for each in files]
    finally:
        await form.close()
