"""The rules of the house that a linter does not know: what may import what, and how much may be excused."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent
_PACKAGE = _ROOT / "mailswitch"
_MODULES = sorted(_PACKAGE.rglob("*.py"))
_CORE = sorted((_PACKAGE / "core").rglob("*.py"))
_HEAVY = ("sqlalchemy", "dns", "requests", "pydantic", "alembic", "cryptography", "yaml", "rich", "structlog", "jinja2")
_EXCUSES_ALLOWED = 5
_COMES_WITH = {"pydantic_core": "pydantic"}
"""Packages that another one pins exactly: they are there in the version it was made with."""


def _imports(module: Path) -> set[str]:
    """Return what a module imports, wherever in it, as full names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module or "")
    return found


def _is_stdlib(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def _offenders(rule: Callable[[Path], object], modules: Iterable[Path] = _MODULES) -> dict[str, object]:
    """Return what the rule finds wrong, by module; the modules without a finding are left out."""
    found = {module.relative_to(_ROOT).as_posix(): rule(module) for module in modules}
    assert found
    return {name: wrong for name, wrong in found.items() if wrong}


def test_core_imports_the_standard_library_and_core_only() -> None:
    def strangers(module: Path) -> set[str]:
        return {
            name for name in _imports(module) if not _is_stdlib(name) and not f"{name}.".startswith("mailswitch.core.")
        }

    assert _offenders(strangers, _CORE) == {}


def test_core_has_no_clock_no_io_and_no_randomness() -> None:
    shell = {"asyncio", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "ssl", "subprocess"}
    shell |= {"sys", "tempfile", "threading", "time", "uuid"}

    def reaches_out(module: Path) -> set[str]:
        called = set(re.findall(r"\b(?:now|today|utcnow|open|input)\(", module.read_text(encoding="utf-8")))
        return called | {name for name in _imports(module) if name.partition(".")[0] in shell}

    assert _offenders(reaches_out, _CORE) == {}


def test_every_foreign_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    declared = {_normal(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in requirements}
    providers = packages_distributions()

    def provided_by(name: str) -> set[str]:
        return {_normal(found) for found in providers.get(name, [])} | {_COMES_WITH.get(name, "")}

    def undeclared(module: Path) -> set[str]:
        foreign = {name.partition(".")[0] for name in _imports(module) if not _is_stdlib(name)} - {"mailswitch"}
        return {name for name in foreign if not provided_by(name) & declared}

    assert _offenders(undeclared) == {}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_the_program_answers_without_importing_heavy_packages(arguments: list[str]) -> None:
    code = (
        "import json, sys\n"
        "from mailswitch.cli.main import main\n"
        f"code = main({arguments!r})\n"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]), file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=_ROOT)

    exit_code, loaded = json.loads(done.stderr)
    assert exit_code == 0
    assert set(loaded) & set(_HEAVY) == set()
    assert "mailswitch" in done.stdout


def test_modules_are_documented_short_and_say_what_is_public() -> None:
    def wrong(module: Path) -> list[str]:
        text = module.read_text(encoding="utf-8")
        tree = ast.parse(text)
        assigned = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
        names = {target.id for target in assigned if isinstance(target, ast.Name)}
        found = [] if ast.get_docstring(tree) else ["no docstring"]
        if len(text.splitlines()) > 300:
            found.append(f"{len(text.splitlines())} lines")
        # A package's __init__ may be a docstring only; migrations are found by alembic, by their file's names.
        if module.name != "__init__.py" and "migrations" not in module.parts and "__all__" not in names:
            found.append("no __all__")
        return found

    assert _offenders(wrong) == {}


def test_functions_stay_under_forty_lines() -> None:
    def long(module: Path) -> dict[str, int]:
        functions = (
            node
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        lengths = {function.name: _lines_of_code(function) for function in functions}
        return {name: length for name, length in lengths.items() if length >= 40}

    assert _offenders(long) == {}


def _lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how long a function is from its ``def`` to its end, its docstring not counted."""
    docstring = function.body[0] if ast.get_docstring(function) else None
    documented = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - documented


def test_few_lines_are_excused_from_coverage() -> None:
    excuses = [
        f"{module.relative_to(_ROOT)}:{number}"
        for module in _MODULES
        for number, line in enumerate(module.read_text(encoding="utf-8").splitlines(), start=1)
        if "pragma: no cover" in line or "pragma: no branch" in line
    ]

    assert len(excuses) <= _EXCUSES_ALLOWED, excuses
    assert not [place for place in excuses if place.startswith("mailswitch/core/")]


def test_nothing_is_printed_outside_the_command_line() -> None:
    def prints(module: Path) -> list[int]:
        return [
            node.lineno
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]

    assert _offenders(prints, [module for module in _MODULES if module.parent.name != "cli"]) == {}


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_locks_pin_every_package_with_hashes_and_name_no_place(name: str) -> None:
    text = (_ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-zA-Z])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())

    assert entries
    assert all(re.match(r"[\w.-]+(\[\w+\])?==[\w.]+ \\\n    --hash=sha256:", entry) for entry in entries)
    assert re.search(r"://|index|find-links|trusted", text) is None


def test_what_is_asked_for_with_extras_is_pinned_with_them() -> None:
    """Otherwise pip looks for the extras by itself, finds a newer release one day, and refuses it as not pinned."""
    lock = (_ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    asked = re.findall(r'"([\w.-]+\[\w+\])>=', (_ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert {"coverage[toml]", "psycopg[binary]"} <= set(asked)
    assert [one for one in asked if f"\n{one}==" not in lock] == []


def test_the_development_lock_holds_the_runtime_pins() -> None:
    pins = {
        name: set(re.findall(r"^[\w.-]+==[\w.]+", (_ROOT / "requirements" / f"{name}.lock").read_text(), re.MULTILINE))
        for name in ("runtime", "dev")
    }

    assert pins["runtime"] <= pins["dev"]
