"""The command `extractors`: every feature that a build can be asked for, and what can be derived from it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from features import installed
from features.contract import EncoderChoice
from features.extractor import OPERATIONS
from features.registry import BUILT_IN, ENCODER, extractor
from store.errors import PhonanchorError
from store.records import FeatureSpec, FrameLaw
from store.vocabulary import NATIVE_RATE

OPERATION_NOTES = {
    "segments": "mean of the frames within 120 ms of the centre of each phone",
    "segments-interval": "mean of the frames within each phone",
    "segments-frames": "all frames within 120 ms of the centre of each phone, phone by phone",
    "segments-interval-frames": "all frames within each phone, phone by phone",
    "utterance-mean": "mean over the recording",
    "utterance-meanstd": "mean and standard deviation over the recording",
}
"""What each of `features.extractor.OPERATIONS` makes of frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One extractor; ``dims``, ``rate``, ``rows`` and ``dtype`` are None where ``fault`` says why."""

    name: str
    summary: str
    source: str
    package: str
    dims: tuple[int, ...] | None = None
    rate: int | None = None
    rows: str | None = None
    dtype: str | None = None
    depends: tuple[str, ...] = ()
    digest: str | None = None
    fault: str | None = None


def extractor_lines(*, as_json: bool) -> Iterator[str]:
    """Yield one line an extractor and an operation, or one JSON document."""
    found = listed()
    if as_json:
        content = {"extractors": [asdict(item) for item in found], "operations": OPERATION_NOTES}
        yield json.dumps(content, indent=2)
        return
    columns = f"{'name':<20} {'one row':<8} {'rows':<26} {'rate':>6} {'dtype':<8} {'depends on':<11}"
    yield f"{columns} what, after whom"
    for item in found:
        yield _line(item)
    yield ""
    for operation in OPERATIONS:
        yield f"{operation + ':NAME':<30} {OPERATION_NOTES[operation]}"
    yield "waveform-RATE takes any rate in Hz; segments need an alignment; layers are pooled one by one"


def listed() -> list[Listed]:
    """Return every extractor, built in first; one that cannot serve says why."""
    rows = [_listed(name, item.summary, item.source, "phonanchor") for name, item in BUILT_IN.items()]
    rows.append(
        Listed(
            name=ENCODER, summary="hidden states by layer, see 'phonanchor encoders'",
            source="systems 002, 003", package="phonanchor",
        )
    )  # fmt: skip
    others = [name for name in installed.names() if name not in BUILT_IN]
    return rows + [_listed(name, "from another package", "", installed.owner(name)) for name in others]


def _listed(name: str, summary: str, source: str, package: str) -> Listed:
    try:
        spec = extractor(name, EncoderChoice(model=None)).spec
    except PhonanchorError as error:
        return Listed(name=name, summary=summary, source=source, package=package, fault=str(error))
    return Listed(
        name=name, summary=summary, source=source, package=package, dims=spec.dims, rate=spec.sample_rate,
        rows=rows_of(spec), dtype=spec.dtype, depends=spec.uses, digest=spec.digest,
    )  # fmt: skip


def rows_of(spec: FeatureSpec) -> str:
    """Return the frame law of a spec in words."""
    law: FrameLaw = spec.law
    if law.kind == "utterance":
        return "one"
    if law.kind == "fixed":
        return f"{law.rows} always"
    if law.hop == 1:
        return "each sample"
    whole = ", whole windows" if law.kind == "convolutional" else ""
    return f"each {1000 * law.hop / spec.sample_rate:.4g} ms{whole}"


def _line(item: Listed) -> str:
    after = f"{item.summary} ({item.source})" if item.source else f"{item.summary} ({item.package})"
    if item.fault:
        return f"{item.name:<20} !! {item.fault}"
    if item.dims is None:
        return f"{item.name:<20} {'by model':<63} {after}"
    shape = " x ".join(map(str, item.dims)) or "1 number"
    rate = "file's" if item.rate == NATIVE_RATE else str(item.rate)
    depends = ", ".join(item.depends) or "audio alone"
    return f"{item.name:<20} {shape:<8} {item.rows:<26} {rate:>6} {item.dtype:<8} {depends:<11} {after}"
