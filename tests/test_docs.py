"""The documentation says what the program does: made pages, columns, links, commands."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from crosspatch.cli import build_app
from crosspatch.config import schema_fields
from crosspatch.crops.packed import CROP_COLUMNS, SUBJECT_COLUMNS
from crosspatch.evaluation.rows import COLUMNS as SCORE_COLUMNS
from crosspatch.feedback import verdicts
from crosspatch.feedback.table import COLUMNS as QUEUE_COLUMNS
from crosspatch.feedback.zooniverse.plan import PLAN_COLUMNS
from crosspatch.prediction import folder as predictions
from crosspatch.prediction import polygons
from crosspatch.reviewing.harvest import SPLIT_COLUMNS as REVIEWED_COLUMNS
from crosspatch.reviewing.store import LOG_KEYS
from crosspatch.studies import tables as studies
from crosspatch.volunteers import folder as consensus
from crosspatch.volunteers import report, tally

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def made_pages() -> dict[Path, str]:
    """What tools/make_reference.py would write now."""
    script = ROOT / "tools" / "make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.pages())


def section(page: str, heading: str) -> str:
    """The text under a heading of Markdown, up to the next heading."""
    return re.split(r"\n#+ ", page.split(f"\n### {heading}\n", 1)[1], maxsplit=1)[0]


def listed_columns(heading: str) -> list[str]:
    """First cells of the table under a heading of the files page, header left out."""
    text = section(read(ROOT / "docs/reference/files.md"), heading)
    return re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)


def test_made_reference_pages_are_up_to_date():
    pages = made_pages()
    assert len(pages) == 2
    for path, text in pages.items():
        assert read(path) == text, f"{path.name} is out of date: run make docs"


def test_every_setting_is_on_the_configuration_page():
    page = read(ROOT / "docs/reference/configuration.md")
    for table, key, _, says in schema_fields():
        row = f"| `{key}` | "
        assert any(
            line.startswith(row) and says in line
            for line in page.split(f"## [{table}]")[1].split("\n## ")[0].splitlines()
        ), f"{table}.{key}"


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("crops.csv", CROP_COLUMNS),
        ("subjects.csv", SUBJECT_COLUMNS),
        ("scores.csv", SCORE_COLUMNS),
        ("splits.csv", ("name", "split", "group")),
        ("predictions.csv", predictions.COLUMNS),
        ("skipped.csv", predictions.SKIPPED_COLUMNS),
        ("polygons/NAME.geojson", polygons.PROPERTIES),
        ("queue.csv", QUEUE_COLUMNS),
        ("scores.csv (simulation)", verdicts.SCORE_COLUMNS),
        ("curve.csv", verdicts.CURVE_COLUMNS),
        ("arms.csv", verdicts.ARM_COLUMNS),
        ("subjects.csv (consensus)", consensus.SUBJECT_COLUMNS),
        ("volunteers.csv", report.VOLUNTEER_COLUMNS),
        ("rejected.csv", tally.REJECTED_COLUMNS),
        ("plan.csv", PLAN_COLUMNS),
        ("expert_curve.csv", report.CURVE_COLUMNS),
        ("expert_choice.csv", report.CHOICE_COLUMNS),
        ("results.csv", studies.RESULT_COLUMNS),
        ("learning.csv", studies.LEARNING_COLUMNS),
        ("failed.csv", studies.FAILED_COLUMNS),
        ("times.csv", studies.TIME_COLUMNS),
        ("test_log.csv", studies.TEST_LOG_COLUMNS),
        ("decisions.jsonl", LOG_KEYS),
        ("splits.csv (reviewed)", REVIEWED_COLUMNS),
    ],
)
def test_documented_columns_are_those_that_are_written(heading, columns):
    assert listed_columns(heading) == list(columns)


def code_lines(page: Path) -> list[str]:
    """Lines of a page's blocks that hold what people type, not what they get."""
    fences = re.split(r"^```(.*)$", read(page), flags=re.MULTILINE)  # text, kind, code, "", ...
    blocks = [
        code
        for kind, code in zip(fences[1::4], fences[2::4], strict=True)
        if kind.strip() in ("", "console", "bash")
    ]
    return "".join(blocks).replace("\\\n", " ").splitlines()


def commands_on(page: Path) -> list[str]:
    """Every command line of crosspatch in a page; usage lines and --help are left out."""
    typed = [
        line.strip().removeprefix("$ ").removeprefix(".venv/bin/") for line in code_lines(page)
    ]
    wanted = [line.partition("   #")[0].strip() for line in typed if line.startswith("crosspatch ")]
    return [line for line in wanted if not re.search(r"[A-Z]{4,}|--help|\.\.\.", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_in_pages_are_understood(page):
    app = build_app()
    for line in commands_on(page):
        app.parse_args(shlex.split(line)[1:], print_error=False, exit_on_error=False)


def test_configurations_named_in_pages_exist():
    named = {name for page in PAGES for name in re.findall(r"configs/[\w/-]+\.toml", read(page))}
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_python_in_pages_is_python():
    blocks = [
        code
        for page in PAGES
        for code in re.findall(r"^```python\n(.*?)^```", read(page), flags=re.M | re.DOTALL)
    ]
    assert len(blocks) >= 4
    for code in blocks:
        compile(code, "page", "exec")


def test_the_pages_hold_many_commands():
    lines = [line for page in PAGES for line in commands_on(page)]
    assert len(lines) >= 25
    assert {line.split()[1] for line in lines} >= {
        "consensus", "demo", "evaluate", "import", "info", "predict", "prepare", "train",
    }  # fmt: skip


def anchor(heading: str) -> str:
    """The name that a heading gets in a link, as on code-hosting sites."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), f"{page.name} links to {target}, which does not exist"
        if heading:
            headings = re.findall(r"^#+ (.*)$", read(other), flags=re.MULTILINE)
            assert heading in map(anchor, headings), f"{page.name} links to {target}"


def test_pages_name_no_machine():
    """What is published holds no place of the machine that it was written on."""
    for page in PAGES:
        assert not re.search(r"(?<!\w)/(?:home|root|tmp|Users)/\w", read(page)), page
