"""What one build is asked to do, as it goes from the caller to the building process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one build is asked to do."""

    index_dir: Path
    paths: tuple[Path, ...] = ()  # files and folders; no path and no URL: all that the index knows
    urls: tuple[str, ...] = ()  # pages, feeds, sitemaps, OPML
    rebuild: bool = False  # forget what is there and read everything again
    include: tuple[str, ...] | None = None  # shell patterns; None: as last time
    exclude: tuple[str, ...] | None = None
    fields: Mapping[str, str] | None = None  # of records: Article field -> key; None: as last time
    remove: tuple[str, ...] = ()  # article ids; paths, addresses and labels: see `named.py`
    readmit: tuple[str, ...] = ()  # ids that were removed; paths and addresses: all below them
    additive: bool = False  # given articles join those given before, and replace none but their own
    allow_loopback: bool = False  # addresses on this machine may be fetched


def job_to_dict(job: Job) -> dict[str, Any]:
    """Return a JSON-ready dictionary."""
    values = asdict(job)
    values["index_dir"] = str(job.index_dir)
    values["paths"] = list(map(str, job.paths))
    return values


def job_from_dict(values: Mapping[str, Any]) -> Job:
    """Return the job that `job_to_dict` described."""
    lists = {key: tuple(item) for key, item in values.items() if isinstance(item, list | tuple)}
    kept = {**values, **lists}
    kept["index_dir"] = Path(kept["index_dir"])
    kept["paths"] = tuple(map(Path, kept["paths"]))
    return Job(**kept)
