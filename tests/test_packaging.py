"""The lock files, the wheel and the changelog say the same as pyproject.toml."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PACKAGES = ("index", "qa", "ui")
BUILD = PYPROJECT["dependency-groups"]["build"]
RUNTIME = [*PROJECT["dependencies"], *BUILD]
DIRECT = {
    "requirements.txt": RUNTIME,
    "requirements-test.txt": [*RUNTIME, *PROJECT["optional-dependencies"]["test"]],
}
PYTHONS = ("3.11.0", "3.12.0", "3.13.0")
# Declared for a reason that is not an import: trafilatura needs it, and older pips do not see that.
NOT_IMPORTED = {"lxml-html-clean"}


class Pin(NamedTuple):
    """One locked version, and the environments it is for."""

    version: str
    marker: Marker | None
    n_hashes: int
    direct: bool  # asked for by pyproject.toml, not only by another package


def read_lock(name: str) -> dict[str, list[Pin]]:
    """Return the pins of a lock file by canonical package name."""
    pins: dict[str, list[Pin]] = {}
    text = (ROOT / name).read_text(encoding="utf-8")
    for entry in re.split(r"^(?=[a-zA-Z0-9])", text, flags=re.MULTILINE)[1:]:
        head = re.match(r"([\w.-]+)==(\S+)(?: ; (.*?))? \\\n", entry)
        assert head is not None, f"not an exact pin with hashes: {entry.splitlines()[0]}"
        package, version, marker = head.groups()
        pins.setdefault(canonicalize_name(package), []).append(
            Pin(
                version,
                Marker(marker) if marker else None,
                len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry)),
                "(pyproject.toml" in entry,
            )
        )
    return pins


LOCKS = {name: read_lock(name) for name in DIRECT}


@pytest.mark.parametrize("lock", DIRECT)
def test_lock_and_pyproject_ask_for_the_same_packages(lock: str) -> None:
    asked = {canonicalize_name(Requirement(line).name) for line in DIRECT[lock]}
    locked = {name for name, pins in LOCKS[lock].items() if any(pin.direct for pin in pins)}
    assert asked == locked, "run make lock"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", DIRECT)
def test_each_python_gets_one_version_that_satisfies_pyproject(lock: str, python: str) -> None:
    environment = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    for requirement in map(Requirement, DIRECT[lock]):
        pins = [
            pin
            for pin in LOCKS[lock][canonicalize_name(requirement.name)]
            if pin.marker is None or pin.marker.evaluate(environment)
        ]
        assert len(pins) == 1, f"{requirement.name} for Python {python}: {pins}"
        assert requirement.specifier.contains(pins[0].version), f"{requirement}: run make lock"


@pytest.mark.parametrize("lock", DIRECT)
def test_everything_locked_has_hashes(lock: str) -> None:
    assert [name for name, pins in LOCKS[lock].items() if not all(p.n_hashes for p in pins)] == []


def test_tests_run_on_the_versions_that_ship() -> None:
    versions = [
        {(name, pin.version, str(pin.marker)) for name, pins in lock.items() for pin in pins}
        for lock in LOCKS.values()
    ]
    assert versions[0] <= versions[1]


@pytest.mark.parametrize("lock", DIRECT)
def test_lock_names_no_host_no_path_and_no_torch(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert re.findall(r".*(?:://|\s/|^/| @ |--(?:index|extra|find|trusted)).*", text) == []
    assert LOCKS[lock].keys().isdisjoint({"torch", "transformers", "sentence-transformers"})


def test_build_backend_is_locked_with_the_rest() -> None:
    assert PYPROJECT["build-system"]["requires"] == BUILD


def imported() -> set[str]:
    """Return the top-level modules the packages import, at any depth in the code."""
    names: set[str] = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - set(PACKAGES)


def homes() -> dict[str, set[str]]:
    """Return, for each imported module that is not ours, the packages that install it."""
    installed = packages_distributions()
    return {
        module: {canonicalize_name(name) for name in installed.get(module, [module])}
        for module in imported()
    }


DECLARED = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}


def test_every_import_is_a_declared_dependency() -> None:
    assert [module for module, names in sorted(homes().items()) if not names & DECLARED] == []


def test_every_declared_dependency_is_imported() -> None:
    assert sorted(DECLARED - NOT_IMPORTED - set().union(*homes().values())) == []


def test_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", text, flags=re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == PROJECT["version"]


def test_wheel_holds_the_product_and_nothing_else(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    run = subprocess.run(
        [*build, "--wheel-dir", tmp_path, ROOT], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    info = f"article_qa-{PROJECT['version']}.dist-info"
    assert {name.partition("/")[0] for name in names} == {*PACKAGES, info}
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert {"index/models/embedder.onnx", "qa/models/reader/reader.onnx"} <= names
    assert f"{info}/licenses/LICENSE" in names
