"""The pages that explain the code name only what exists, and name all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [path.parent.name for path in sorted((ROOT / "chalicelib").glob("*/__init__.py"))]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "tests" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]
PLACES = (ROOT, ROOT / "chalicelib", ROOT / "tests", ROOT / "tests" / "reliability")
"""The folders to which paths on a page may be relative, besides the page's own."""
CODE = (
    "\n".join(
        path.read_text()
        for folder in ("chalicelib", "infra", "jobyard", "tests", "bench")
        for path in (ROOT / folder).rglob("*.py")
    )
    + (ROOT / "app.py").read_text()
)


def mapped() -> set[str]:
    """The files in README's map of chalicelib, as paths within it."""
    readme = (ROOT / "README.md").read_text()
    block = re.search(r"### chalicelib.*?```\n(.*?)```", readme, re.DOTALL)
    assert block
    found, folder = set(), ""
    for line in block[1].splitlines():
        name = line.split()[0]
        if name.endswith("/"):
            folder = name
        else:
            found.add(f"{folder}{name}" if line.startswith(" ") else name)
    return found


def test_the_map_in_readme_has_each_file_of_chalicelib() -> None:
    """The map has exactly the files that exist."""
    files = (ROOT / "chalicelib").rglob("*.py")
    there = {str(path.relative_to(ROOT / "chalicelib")) for path in files}
    assert mapped() == {path for path in there if not path.endswith("__init__.py")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_and_link_on_a_page_is_there(page: Path) -> None:
    """Each page that names a moved or renamed file fails."""
    text = page.read_text()
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|yaml|json|toml))`", text))
    missing = [
        path
        for path in named
        if not any((place / path).exists() for place in (*PLACES, page.parent))
        and not path.startswith(("build/", ".local/"))
    ]
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    missing += [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_method_on_a_page_is_there(page: Path) -> None:
    """A page names methods as `Lifecycle.settle`, or after their file; `Model` is PynamoDB's."""
    text = page.read_text()
    dotted = re.findall(r"`([A-Z]\w+)\.([a-z_]\w+)(?:\(\))?`", text)
    methods = {name for owner, name in dotted if owner != "Model"}
    methods |= set(re.findall(r"\.py`,? \(?`([a-z_]\w+)`", text))
    unknown = [name for name in methods if not re.search(rf"\b{name}\b", CODE)]
    assert not unknown


def test_every_decision_is_in_the_index() -> None:
    """The index has each page's title."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    for page in folder.glob("0*.md"):
        title = page.read_text().splitlines()[0].split(": ", 1)[1]
        assert f"| [{page.name[:4]}]({page.name}) | {title} |" in index, page.name


def test_make_help_names_every_target() -> None:
    """A target that the help does not name is hard to find."""
    makefile = (ROOT / "Makefile").read_text()
    targets = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split()
    named = re.findall(r'@echo "  make ([\w-]+)', makefile)
    assert set(named) == set(targets) - {"help"}
