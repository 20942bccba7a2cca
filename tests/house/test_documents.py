"""The documents hold together: links lead somewhere, lists are complete, pictures can be drawn."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from pathlib import Path

import pytest

from edge_agent.configuration import Configuration
from exchange.api import problems
from exchange.settings import Settings
from ledger.evidence.reasons import Code

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.rglob("docs/**/*.md"), *ROOT.rglob("tests/**/*.md")]
    if ".venv" not in path.parts
)
ROOMS = ("schemas", "ledger", "edge_agent", "exchange", "firmware_sim", "haulproof")
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
CODE_BLOCK = re.compile(r"^```.*?^```", flags=re.MULTILINE | re.DOTALL)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    plain = re.sub(r"[`*_]|\[|\]\([^)]*\)", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = CODE_BLOCK.sub("", page.read_text())
    return {slug(heading) for heading in re.findall(r"^#+ +(.+)$", text, flags=re.MULTILINE)}


def links(page: Path) -> list[str]:
    text = CODE_BLOCK.sub("", page.read_text())
    return re.findall(r"\]\(([^)\s]+)\)", text)


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    inside = [link for link in links(page) if not re.match(r"https?:|mailto:", link)]

    assert [link for link in inside if not leads_somewhere(page, link)] == []


def test_every_decision_is_in_the_index_once_and_in_order() -> None:
    listed = links(ROOT / "docs" / "adr" / "index.md")

    assert [link for link in listed if link[0].isdigit()] == [path.name for path in DECISIONS]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_decision_has_the_form_of_the_template(decision: Path) -> None:
    text = decision.read_text()
    number = decision.name[:4]

    assert text.startswith(f"# {number}. ")
    for heading in ("Context", "Options", "Decision", "Consequences"):
        assert f"\n## {heading}\n" in text, heading


def test_no_two_decisions_share_a_number() -> None:
    numbers = [path.name[:4] for path in DECISIONS]

    assert sorted(set(numbers)) == numbers


@pytest.mark.parametrize(
    "picture", sorted((ROOT / "docs" / "pictures").iterdir()), ids=lambda path: path.name
)
def test_picture_is_well_formed_and_says_what_it_shows(picture: Path) -> None:
    drawing = ElementTree.fromstring(picture.read_text())  # noqa: S314 - our own file
    svg = "{http://www.w3.org/2000/svg}"

    assert drawing.tag == f"{svg}svg"
    assert drawing.findtext(f"{svg}title")
    assert drawing.findtext(f"{svg}desc")


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    pending = [ROOT / "README.md"]
    while pending:
        page = pending.pop()
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in reached:
                reached.add(target)
                pending.append(target)

    in_docs = [page for page in PAGES if "tests" not in page.relative_to(ROOT).parts]
    assert [str(page.relative_to(ROOT)) for page in in_docs if page not in reached] == []


def test_every_page_and_decision_that_the_code_names_exists() -> None:
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.*") if path.is_file()]
    texts = [path.read_text() for path in sources if path.suffix in {".py", ".sql", ".cddl"}]
    pages = {page for text in texts for page in re.findall(r"docs/[\w/-]+\.md", text)}
    numbers = {number for text in texts for number in re.findall(r"\bADR (\d{4})\b", text)}

    assert [page for page in sorted(pages) if not (ROOT / page).is_file()] == []
    assert numbers - {path.name[:4] for path in DECISIONS} == set()


def codes_in(page: str) -> set[str]:
    """Everything that stands in the first column of a page's tables as code."""
    rows = re.findall(r"^\| (`[^|]+) \|", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`([^`]+)`", row)}


def test_every_setting_is_documented() -> None:
    assert set(Settings.model_fields) <= codes_in("run-an-exchange.md")


def test_every_setting_of_the_agent_is_documented() -> None:
    names = {field.name for field in fields(Configuration)}

    assert names <= codes_in("install-on-a-truck.md")


def test_every_problem_is_documented() -> None:
    known = [*problems.REFUSALS.values(), *problems.OF_STATUS.values()]
    known += [
        problems.STATEMENT_REFUSED,
        problems.INVALID_REQUEST,
        problems.BUSY,
        problems.INTERNAL,
    ]

    assert {problem.slug for problem in known} <= codes_in("pull-and-verify-trips.md")


def test_every_reason_of_verify_is_documented() -> None:
    assert {str(code) for code in Code} <= codes_in("pull-and-verify-trips.md")
