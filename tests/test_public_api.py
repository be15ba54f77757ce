"""Each package's `__init__` is a table of contents: a docstring, re-exports, a sorted `__all__`."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("index", "qa", "ui")


@pytest.mark.parametrize("package", PACKAGES)
def test_package_says_what_it_is_for(package: str) -> None:
    assert importlib.import_module(package).__doc__


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_sorted_and_resolves(package: str) -> None:
    module = importlib.import_module(package)
    assert list(module.__all__) == sorted(set(module.__all__))
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_documented(package: str) -> None:
    module = importlib.import_module(package)
    public = {name: getattr(module, name) for name in module.__all__}
    mute = [name for name, value in public.items() if callable(value) and not value.__doc__]
    assert mute == []


@pytest.mark.parametrize("package", PACKAGES)
def test_init_holds_no_logic(package: str) -> None:
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        match node:
            case ast.Expr(value=ast.Constant(value=str())):  # the docstring
                pass
            case ast.Import() | ast.ImportFrom() | ast.Assign() | ast.AnnAssign() | ast.If():
                pass
            case ast.FunctionDef(name="__getattr__" | "__dir__"):  # late imports of heavy names
                pass
            case _:
                pytest.fail(
                    f"{package}/__init__.py:{node.lineno}: move this to a module of its own"
                )
