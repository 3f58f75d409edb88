"""Finds, identifies and loads the weights of a `transformers` speech encoder, silently."""

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from features.encoder_names import PUBLISHED, hub_id
from store.digests import Json, digest
from store.errors import ExtractionError

_TRIVIAL = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures")
"""Entries of config.json that say nothing about the values."""
_KINDS = ("*.safetensors", "pytorch_model*.bin")
_UNUSED = ("masked_spec_embed", "decoder.", "adapter.")
"""Weights that may be missing, since the encoder's forward pass never reads them."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One model folder, its parsed config.json and preprocessor_config.json, and the digest of its weights.

    ``identity`` is a SHA-256 over the weight files and the entries of config.json that matter; it does not
    depend on where the folder lies. ``source`` says where it came from: hub id and commit, or the folder.
    """

    folder: Path
    config: dict[str, Any]
    preprocessor: dict[str, Any]
    identity: str
    source: str


def find(model: str, mirror: Path | None = None) -> Checkpoint:
    """Return the checkpoint called ``model``: a folder, a short name or a hub id, with ``@REVISION`` or not.

    A model that is no folder is looked for below ``mirror`` (as ``ORG/NAME``, ``ORG--NAME`` or ``NAME``),
    then in the cache and on the hub; ``HF_HUB_OFFLINE`` and ``HF_HOME`` are honoured. Raises
    `ExtractionError` when there is no such model or the hub cannot be reached.
    """
    folder, source = _located(model, mirror)
    config = _read_json(folder / "config.json", needed=True)
    files = _weight_files(folder)
    stamps = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    kept: dict[str, Json] = {key: value for key, value in config.items() if key not in _TRIVIAL}
    identity = digest({"config": kept, "weights": [_hash(*stamp) for stamp in stamps]})
    preprocessor = _read_json(folder / "preprocessor_config.json", needed=False)
    return Checkpoint(folder, config, preprocessor, identity, source)


def _located(model: str, mirror: Path | None) -> tuple[Path, str]:
    """Return the folder of a model and where it came from."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder, str(folder.resolve())
    name, _, revision = model.partition("@")
    name = hub_id(name)
    for place in _mirrored(name, revision, mirror):
        if place.is_dir():
            return place, f"{name}{f'@{revision}' if revision else ''} in {mirror}"
    near = get_close_matches(name, [entry.name for entry in PUBLISHED], n=1, cutoff=0.75)
    if near and "/" not in name:  # hub ids have an owner: it is a short name, misspelt
        raise ExtractionError(
            "a folder of a speech encoder, a hub id or a short name", repr(model), f"did you mean {near[0]}?"
        )
    folder = _from_hub(name, revision or None)
    return folder, f"{name}@{folder.name}"


def at_hand(model: str, mirror: Path | None = None) -> str | None:
    """Return where a model is found without the network: ``mirror`` or ``cache``; None where it is not.

    Raises `ExtractionError` where ``mirror`` is no folder.
    """
    from huggingface_hub import try_to_load_from_cache

    name = hub_id(model)
    if any(place.is_dir() for place in _mirrored(name, "", mirror)):
        return "mirror"
    return "cache" if isinstance(try_to_load_from_cache(name, "config.json"), str) else None


def _mirrored(name: str, revision: str, mirror: Path | None) -> Iterator[Path]:
    """Yield where a mirror may hold a model; one of a named revision must say so in its folder's name."""
    if mirror is None or ".." in name:
        return
    if not mirror.expanduser().is_dir():
        raise ExtractionError("a folder of models", f"no folder {mirror}", "correct mirror, or leave it out")
    for form in (name, name.replace("/", "--"), name.rpartition("/")[2]):
        yield mirror.expanduser() / (f"{form}@{revision}" if revision else form)


def load(folder: Path, model_type: str) -> Any:
    """Return the `transformers` model in ``folder`` in float32, on the best device, ready for inference.

    Raises `ExtractionError` when the folder cannot be loaded or lacks weights of the encoder (which
    `transformers` would fill with random numbers).
    """
    import torch
    from transformers import AutoModel

    try:
        with quiet():
            model, info = AutoModel.from_pretrained(
                str(folder), dtype=torch.float32, output_loading_info=True, local_files_only=True
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ExtractionError(
            f"a {model_type} encoder that transformers can load",
            f"{folder}: {error}",
            "download the model again",
        ) from error
    missing = sorted(key for key in info["missing_keys"] if not any(part in key for part in _UNUSED))
    if missing:
        raise ExtractionError(
            f"all weights of {folder}",
            f"{len(missing)} missing, e.g. {missing[0]}",
            "download the model again",
        )
    return model.eval().requires_grad_(False).to(device())


def device() -> str:
    """Return ``"cuda"`` where there is a usable GPU, otherwise ``"cpu"``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def inference() -> Iterator[None]:
    """Run without gradients, and in mixed precision on a GPU."""
    import torch

    on_gpu = device() == "cuda"
    with (
        warnings.catch_warnings(),
        torch.inference_mode(),
        torch.autocast("cuda", dtype=torch.float16, enabled=on_gpu),
    ):
        # WavLM hands PyTorch a boolean mask beside a float bias, which is deprecated there and harmless
        warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Silence progress bars, log lines and warnings of `transformers` and the hub; restore them after."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with quiet_hub():
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Silence progress bars and warnings of the hub alone, which takes no `transformers`."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if bars:
            enable_progress_bars()


def _from_hub(model: str, revision: str | None) -> Path:
    import httpx
    from huggingface_hub import snapshot_download

    try:
        with quiet_hub():
            patterns = ["config.json", "preprocessor_config.json", "*.safetensors"]
            folder = Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
            if not list(folder.glob("*.safetensors")):
                patterns.append("pytorch_model*.bin")
                folder = Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
    except (OSError, ValueError, httpx.HTTPError) as error:
        raise ExtractionError(
            "a speech encoder: a folder or a model on the hub",
            f"neither a folder {model!r} nor a model of that name"
            f"{f' (revision {revision})' if revision else ''} in the mirror, the cache or on the hub "
            f"({type(error).__name__})",
            "correct the name, download the model into a folder and name that folder, or use 'logmel'",
        ) from error
    return folder


def _weight_files(folder: Path) -> Sequence[Path]:
    for kind in _KINDS:
        files = sorted(folder.glob(kind))
        if files:
            return files
    raise ExtractionError(f"weights ({' or '.join(_KINDS)}) in {folder}", "none", "download the model again")


def _read_json(path: Path, *, needed: bool) -> dict[str, Any]:
    if not path.is_file() and not needed:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExtractionError(
            f"a readable {path.name} in the model folder", str(error), "name a folder written by transformers"
        ) from error
    if not isinstance(content, dict):
        raise ExtractionError(f"a table in {path}", type(content).__name__, "download the model again")
    return content


@lru_cache(maxsize=64)
def _hash(path: str, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - size and time make the cache key
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
