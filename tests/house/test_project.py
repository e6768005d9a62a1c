"""The project's papers agree: each version, date, address and promise is compared with the place where it is made."""

import re
import tomllib
from pathlib import Path

import pytest

import nag_optax
from tests.support.imports import imported

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCE = PROJECT["urls"]["Source"]
TOOLS = [tool for tool in PROJECT["optional-dependencies"]["dev"] if not tool.startswith("nag_optax[")]
WORKFLOWS = sorted((ROOT / ".github").rglob("*.yml"))
HOOKS = ROOT / ".pre-commit-config.yaml"
PAPERS = [
    *ROOT.glob("*.md"),
    *(path for ending in ("md", "py") for path in ROOT.glob(f"docs/*.{ending}")),
    *ROOT.glob(".ci/*"),
    *WORKFLOWS,
    HOOKS,
    ROOT / ".readthedocs.yaml",
    ROOT / "CITATION.cff",
]
CODE = ("nag_optax", "trainer", "programs", "examples", "benchmarks")
UNPICKLING = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def said(pattern, name):
    """The groups of the first place that matches."""
    match = re.search(pattern, text(name), flags=re.MULTILINE)
    assert match, f"{name} does not say {pattern}"
    return match.groups()


def pinned(paper):
    """The (tool, version) pairs that a text names, those of environment variables included."""
    found = re.findall(r"\b([\w-]+)(?:\[\w+\])?==(\d[\w.]*)", paper)
    return found + [("pyright", version) for version in re.findall(r"PYRIGHT_PYTHON_FORCE_VERSION=(\S+)", paper)]


PINS = dict(pinned(" ".join(TOOLS)))


def test_the_papers_are_found():
    assert len(WORKFLOWS) == 3 and len(PAPERS) > 15


def test_the_tools_that_judge_are_pinned():
    assert PINS.keys() >= {"build", "pyright", "pytest-xdist", "ruff", "twine"}
    assert len(PINS) == len(TOOLS), TOOLS


def test_hooks_run_the_pinned_tools():
    assert sorted(set(pinned(text(HOOKS)))) == [(tool, PINS[tool]) for tool in ("pyright", "ruff")]
    assert len(pinned(text(HOOKS))) == text(HOOKS).count("- id: ")


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_a_pin_is_the_one_of_the_project(paper):
    for tool, version in pinned(text(paper)):
        assert PINS.get(tool, version) == version, tool


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_the_repository_has_one_address(paper):
    for address in re.findall(r"https?://(?:www\.)?github\.com/nag[-_]optax[^\s)\"'>]*", text(paper)):
        assert re.match(re.escape(SOURCE) + r"(?![\w-])", address), address
    for slug in re.findall(r"--repo (\S+?)`", text(paper)):
        assert SOURCE.endswith(f".com/{slug}")


def test_the_package_has_one_address():
    assert all(url.startswith((SOURCE, PROJECT["urls"]["Documentation"])) for url in PROJECT["urls"].values())
    assert f"repository-code: {SOURCE}\n" in text("CITATION.cff")


def test_the_citation_is_that_of_the_version():
    citation = dict(re.findall(r"^([\w-]+): (.+)$", text("CITATION.cff"), flags=re.MULTILINE))
    assert citation["version"] == nag_optax.__version__
    assert citation["license"] == PROJECT["license"]
    (author,) = said(r"^  - name: (.+)$", "CITATION.cff")
    assert PROJECT["authors"] == [{"name": author}]
    released, date = said(r"^## (\S+) \((.+)\)$", "CHANGELOG.md")
    assert released == nag_optax.__version__
    assert citation.get("date-released", "unreleased") == date


def test_the_pythons_are_those_that_are_checked():
    oldest, *_, newest = pythons = re.findall(r":: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={oldest}"
    assert f"environment oldest {oldest}\n" in text(".ci/run")
    (checked,) = said(r"python-version: \|.*\n((?: +3\.\d+\n)+)", ".github/workflows/ci.yml")
    assert {oldest, newest} <= {*checked.split()} <= {*pythons}
    for paper in (*WORKFLOWS, ROOT / ".readthedocs.yaml"):
        assert {*re.findall(r"python(?:-version)?: \"(.+)\"", text(paper))} <= {*pythons}, paper


def test_the_readme_names_the_oldest_versions():
    floors = [f"Python {PROJECT['requires-python'].removeprefix('>=')} or later"]
    floors += [dependency.replace(">=", " ") for dependency in PROJECT["dependencies"]]
    assert ", ".join(floors) in " ".join(text("README.md").split())


def test_the_documentation_has_one_command():
    command = 'pip install -e ".[dev]" && python -m sphinx -W -b html docs site'
    assert f"\n    {command}\n" in text("CONTRIBUTING.md")
    assert f"- run: {command}\n" in text(".github/workflows/docs.yml")
    assert "\nsite/\n" in text(".gitignore")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_pinned_and_has_few_rights(workflow):
    for action in re.findall(r"uses: (\S+)", text(workflow)):
        assert re.fullmatch(r"\./\S+|[\w/-]+@(release/)?v\d+", action), action
    assert re.search(r"^permissions:(\n  contents: read\n| \{\}\n)", text(workflow), flags=re.MULTILINE)
    jobs = re.findall(r"^    (runs-on|timeout-minutes|uses):", text(workflow), flags=re.MULTILINE)
    assert jobs.count("timeout-minutes") == jobs.count("runs-on") > 0


@pytest.mark.parametrize("folder", CODE)
def test_no_pickle_is_loaded(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        assert not {name.split(".")[0] for name in imported(path)} & UNPICKLING, path
        assert not re.search(r"allow_pickle|read_pickle|torch\.load", path.read_text()), path
