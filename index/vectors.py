"""The dense index: passage number + vector in, nearest passages out. The only importer of chromadb.

Chroma holds ids and vectors, nothing else: text, dates and offsets live in the record. Once
published, a directory is never opened again: Chroma writes to what it reads, so readers get a
private copy, which works on a read-only disk too and leaves every published file as it was hashed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import numpy.typing as npt

from index.errors import IndexDamagedError
from index.lease import Lease

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

COLLECTION = "passages"
DATABASE = "chroma.sqlite3"
BATCH = 1000  # rows a call: Chroma refuses more than 5461, and larger ones are no faster
SYNC_THRESHOLD = 1000  # rows between rewrites of the HNSW files; larger is slower (measured)
MAX_NEIGHBOURS = 100  # ef_search's default: beyond it HNSW has nothing to rank

# Chroma shares one connection among the clients of a folder, and starts and stops it unguarded.
_CONNECTING = threading.Lock()

Neighbours = list[tuple[int, float]]  # (passage number, cosine similarity), best first


class ChromaVectors:
    """One Chroma directory with one cosine collection.

    Not for two processes at a time while one of them writes: builds happen in a directory of their
    own and are moved into place when finished.
    """

    def __init__(self, path: Path, client: Client, collection: Collection) -> None:
        self._path, self._client, self._collection = path, client, collection
        self._lease: Lease | None = None  # on the private copy that `path` is

    @classmethod
    def create(cls, path: Path) -> Self:
        """Return a new, empty index in the folder `path`."""
        client = _connect(path)
        collection = client.create_collection(
            COLLECTION,
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "sync_threshold": SYNC_THRESHOLD}},
        )
        return cls(path, client, collection)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the index in the folder `path`.

        Raises:
            IndexDamagedError: If there is none, or it cannot be read.
        """
        if not (path / DATABASE).is_file():  # Chroma would make an empty one
            raise IndexDamagedError(path.parent, f"{path.name}/{DATABASE} is missing")
        with _damage_reported(path):
            client = _connect(path)
            try:
                # None: otherwise Chroma would rebuild, and perhaps download, an embedding function.
                collection = client.get_collection(COLLECTION, embedding_function=None)
            except BaseException:
                _disconnect(client)
                raise
        return cls(path, client, collection)

    @classmethod
    def open_copy(cls, path: Path) -> Self:
        """Return the index in the folder `path`, opened as a private copy that goes with it.

        Raises:
            IndexDamagedError: If there is none, or it cannot be read.
            DiskFullError: If there is no room for the copy.
        """
        lease = Lease.copy_of(path)
        try:
            index = cls.open(lease.path)
        except IndexDamagedError as error:
            lease.end()
            raise IndexDamagedError(path.parent, error.problem) from error
        except BaseException:
            lease.end()
            raise
        index._lease = lease
        return index

    def add(self, numbers: Sequence[int], vectors: npt.NDArray[np.float32]) -> None:
        """Add passages that are not there yet; `vectors` has one unit row per number."""
        for rows in _batched(range(len(numbers))):
            ids = [str(numbers[row]) for row in rows]
            self._collection.add(ids=ids, embeddings=vectors[rows[0] : rows[-1] + 1])

    def delete(self, numbers: Iterable[int]) -> None:
        """Remove passages; unknown numbers are ignored."""
        for batch in _batched(numbers):
            self._collection.delete(ids=[str(number) for number in batch])

    def count(self) -> int:
        """Return how many passages are held, which does not prove that they are found."""
        with _damage_reported(self._path):
            return self._collection.count()

    def numbers(self) -> set[int]:
        """Return the numbers of all passages held."""
        with _damage_reported(self._path):
            return {int(item) for item in self._collection.get(include=[])["ids"]}

    def vectors(self, numbers: Sequence[int]) -> dict[int, npt.NDArray[np.float32]]:
        """Return the vectors that the HNSW graph itself holds for these passages.

        Raises:
            IndexDamagedError: If it lacks one of them, though Chroma may count it.
        """
        held: dict[int, npt.NDArray[np.float32]] = {}
        for batch in _batched(numbers):
            with _damage_reported(self._path):
                found = self._collection.get(
                    ids=[str(number) for number in batch], include=["embeddings"]
                )
            rows = np.asarray(found["embeddings"], dtype=np.float32)
            held |= zip(map(int, found["ids"]), rows, strict=True)
        return held

    def nearest(self, vector: npt.NDArray[np.float32], n: int) -> Neighbours:
        """Return up to `n` passages by cosine similarity to the unit vector, best first."""
        if n < 1 or not is_searchable(vector):
            return []
        with _damage_reported(self._path):
            found = self._collection.query(
                query_embeddings=vector[None],
                n_results=min(n, MAX_NEIGHBOURS),
                include=["distances"],
            )
        distances = found["distances"] or [[]]
        return [
            (int(item), 1.0 - float(distance))
            for item, distance in zip(found["ids"][0], distances[0], strict=True)
        ]

    def close(self) -> None:
        """Let go of the files."""
        _disconnect(self._client)
        if self._lease is not None:
            self._lease.end()


def is_searchable(vector: npt.NDArray[np.float32]) -> bool:
    """Say whether a query vector has a direction: Chroma answers NaN or zeros with junk."""
    return bool(np.isfinite(vector).all() and vector.any())


def finalise(path: Path) -> None:
    """Make Chroma write everything it holds at `path` into its HNSW files.

    Closing alone leaves up to `SYNC_THRESHOLD` vectors in a log that every later opening replays.
    There is no call for it (chroma #7463): a tiny threshold and, opened anew, a query do it.
    """
    _set_sync_threshold(path, 2)
    _set_sync_threshold(path, SYNC_THRESHOLD, query_first=True)


def _set_sync_threshold(path: Path, threshold: int, *, query_first: bool = False) -> None:
    index = ChromaVectors.open(path)
    collection: Any = index._collection
    if query_first and collection.count():
        probe = collection.peek(limit=1)["embeddings"]
        collection.query(query_embeddings=probe, n_results=1, include=[])
    collection.modify(configuration={"hnsw": {"sync_threshold": threshold}})
    index.close()


def _connect(path: Path) -> Client:
    import chromadb  # here, not above: 0.9 s of CPU, and exact search does without it
    from chromadb.api.shared_system_client import SharedSystemClient as Shared
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    with _CONNECTING:
        try:
            return cast("Client", chromadb.PersistentClient(str(path), settings=settings))
        except BaseException:
            # Chroma keeps what failed to start, and every later opening would trip over it.
            if str(path) not in Shared._identifier_to_refcount:
                Shared._identifier_to_system.pop(str(path), None)
            raise


def _disconnect(client: Client) -> None:
    with _CONNECTING:
        client.close()


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    from chromadb.errors import ChromaError

    try:
        yield
    except ChromaError as error:
        raise IndexDamagedError(path.parent, f"Chroma cannot read its files ({error})") from error


def _batched(items: Iterable[int]) -> Iterator[tuple[int, ...]]:
    iterator = iter(items)
    while batch := tuple(islice(iterator, BATCH)):
        yield batch
