"""Files from the Hugging Face hub: references, downloads and the cache.

A cached file is used without asking the hub, so that a model does not depend on the network;
`refresh` asks for a newer version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import (
    HfApi,
    constants,
    hf_hub_download,
    scan_cache_dir,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    CacheNotFound,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from moeclip_cli.checkpoints.hub_reference import HUB_PREFIX, HubReference
from moeclip_cli.errors import ModelError

# Names of the weights in a repository of open_clip, best first.
OPEN_CLIP_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")

_CHECKPOINT_SUFFIXES = (".safetensors", ".pth")
_TIMEOUT_S = 10
# Versions of the hub's client differ in their HTTP library, and so in the exception for a broken
# connection; the client's own errors derive from that library's base class.
_HTTP_ERROR: type[Exception] = HfHubHTTPError.__bases__[0]


@dataclass(frozen=True)
class CachedFile:
    """A file in the cache.

    Attributes:
        repo: "owner/name".
        file: path in the repository.
        revision: of this version, for `HubReference`: None for the default branch, else another
            branch, a tag or the commit.
        path: of the file on this machine.
        size_bytes: size of the file.
    """

    repo: str
    file: str
    revision: str | None
    path: Path
    size_bytes: int


def fetch(
    reference: HubReference,
    *,
    candidates: Sequence[str] = (),
    parameter: str = "model",
    refresh: bool = False,
) -> Path:
    """The local path of a file on the hub, downloaded unless it is in the cache.

    Args:
        reference: the file; or a repository, whose only checkpoint is used.
        candidates: for a reference without a file, file names of which the first that the
            repository has is used.
        parameter: the caller's parameter that takes a local file, for messages.
        refresh: ask the hub for a newer version even if the file is in the cache.

    Raises:
        ModelError: if it does not exist, cannot be reached or the download fails; the message says
            how to download the file by hand.
    """
    names = (reference.file,) if reference.file else tuple(candidates)
    if not refresh and (cached := _first_cached(reference, names)):
        return cached
    try:
        return _download(reference, names, parameter)
    except ModelError:
        if not names and not refresh and (cached := _only_cached(reference)):
            return cached
        raise


def cached_files() -> list[CachedFile]:
    """All files of models in the hub's cache, sorted by repository and name."""
    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except (CacheNotFound, ValueError):
        return []
    found = [
        CachedFile(
            repo.repo_id,
            file.file_path.relative_to(revision.snapshot_path).as_posix(),
            _shortest_name(revision.refs, revision.commit_hash),
            file.file_path,
            file.size_on_disk,
        )
        for repo in cache.repos
        if repo.repo_type == "model"
        for revision in repo.revisions
        for file in revision.files
    ]
    return sorted(found, key=lambda entry: (entry.repo, entry.file, entry.revision or ""))


def _shortest_name(refs: Iterable[str], commit: str) -> str | None:
    """The name of a revision; None for the default branch."""
    names = sorted(refs)
    return None if constants.DEFAULT_REVISION in names else (names or [commit])[0]


def _first_cached(reference: HubReference, names: Sequence[str]) -> Path | None:
    for name in names:
        cached = try_to_load_from_cache(reference.repo, name, revision=reference.revision)
        if isinstance(cached, str):
            return Path(cached)
    return None


def _only_cached(reference: HubReference) -> Path | None:
    """The checkpoint of a repository, if the cache has exactly one."""
    files = {entry.file for entry in cached_files() if entry.repo == reference.repo}
    checkpoints = [name for name in files if name.endswith(_CHECKPOINT_SUFFIXES)]
    return _first_cached(reference, checkpoints) if len(checkpoints) == 1 else None


def _download(reference: HubReference, names: Sequence[str], parameter: str) -> Path:
    """Fetch the first of `names`, or the only checkpoint if there are none."""
    with _explained(replace(reference, file=names[0] if names else None), parameter):
        # Called first, because it does not retry: without a network it fails immediately.
        info = HfApi().model_info(reference.repo, revision=reference.revision, timeout=_TIMEOUT_S)
        present = [sibling.rfilename for sibling in info.siblings or ()]
        file = _choose(reference, names, present)
        return Path(hf_hub_download(reference.repo, file, revision=reference.revision))


def _choose(reference: HubReference, names: Sequence[str], present: Sequence[str]) -> str:
    """The file to fetch: the first of `names` that is present, or the only checkpoint."""
    checkpoints = [name for name in present if name.endswith(_CHECKPOINT_SUFFIXES)]
    listed = ", ".join(checkpoints) or "no .safetensors or .pth file"
    if names:
        for name in names:
            if name in present:
                return name
        raise ModelError(f"{reference.repo} on the hub has no file {names[0]}; it has {listed}.")
    if len(checkpoints) != 1:
        raise ModelError(
            f"{reference.repo} on the hub has {listed}; name the file to use, as in "
            f"{HUB_PREFIX}{reference.repo}/FILE."
        )
    return checkpoints[0]


@contextmanager
def _explained(reference: HubReference, parameter: str) -> Iterator[None]:
    """Turn exceptions of the hub's client into a sentence that says what to do."""
    by_hand = (
        f"download {_url(reference)} on a machine with a network, copy it to this one and give its "
        f"path as `{parameter}`"
    )
    try:
        yield
    except GatedRepoError as error:
        raise ModelError(
            f"{reference.repo} on the hub is gated: request access at "
            f"{constants.ENDPOINT}/{reference.repo} and set HF_TOKEN."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            f"{reference.repo} on the hub has no revision '{reference.revision}'."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"Repository {reference.repo} not found at {constants.ENDPOINT}; check its spelling, "
            "or set HF_TOKEN if it is private."
        ) from error
    except OfflineModeIsEnabled as error:
        raise ModelError(
            f"{reference} cannot be downloaded while HF_HUB_OFFLINE is set: unset it, or {by_hand}."
        ) from error
    except (OSError, RuntimeError, ValueError, _HTTP_ERROR) as error:
        raise ModelError(
            f"{reference} could not be downloaded from {constants.ENDPOINT} ({_reason(error)}): "
            f"try again later, or {by_hand}."
        ) from error


def _reason(error: Exception) -> str:
    """The HTTP status of the hub's answer, or the first line of an error."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _url(reference: HubReference) -> str:
    """Address of a file or a repository for a browser."""
    revision = reference.revision or constants.DEFAULT_REVISION
    page = f"{constants.ENDPOINT}/{reference.repo}"
    if reference.file:
        return f"{page}/resolve/{revision}/{reference.file}"
    return f"{page}/tree/{revision}"
