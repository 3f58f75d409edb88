"""Reads arrays from a server that ignores byte ranges, as rclone does: objects come whole and are cut."""

from collections.abc import Iterable

import obstore
from obstore.exceptions import GenericError
from obstore.store import S3Store
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import ObjectStore

from store.objects import ObjectPath, asking
from store.settings import object_store_settings


class WholeObjects(ObjectStore[S3Store]):
    """A store of zarr that asks for no byte range."""

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return an object or a part of it, None where there is none."""
        whole = await super().get(key, prototype)
        return whole if whole is None or byte_range is None else whole[_part(byte_range, len(whole))]

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return several parts."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]


def _part(asked: ByteRequest, length: int) -> slice:
    match asked:
        case RangeByteRequest(start, end):
            return slice(start, end)
        case OffsetByteRequest(offset):
            return slice(offset, length)
        case SuffixByteRequest(suffix):
            return slice(max(length - suffix, 0), length)
    raise NotImplementedError(asked)


def honours_ranges(path: ObjectPath) -> bool:
    """Say whether the server of an object gives a part of it when asked for one; True where there is none.

    Raises
    ------
    ObjectStoreError
        If it does not answer or refuses.
    """
    server = path.bucket, object_store_settings()
    if server not in _KNOWN:
        _KNOWN[server] = _asked(path)
    return _KNOWN[server]


_KNOWN: dict[tuple[str, tuple[tuple[str, str], ...]], bool] = {}


def _asked(path: ObjectPath) -> bool:
    with asking(path):
        try:
            obstore.get_range(path.client, path.key, start=0, end=1)
        except FileNotFoundError:
            return True
        except GenericError as error:
            if "non-partial response" in str(error):
                return False
            raise
    return True
