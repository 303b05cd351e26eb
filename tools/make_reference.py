"""Write the reference pages that are made from the program: commands and configuration.

A test compares the committed pages with what this makes, so they cannot drift from the program.
"""

import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from crosspatch.cli import build_app
from crosspatch.config import Settings, schema_fields

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
_MADE = "<!-- Made by tools/make_reference.py from the program itself: do not edit. -->\n\n"
_COMMANDS = """# Commands

Every command says the same with `--help`. Exit codes: 0 done; 1 an error, said in one message;
2 a command that was typed wrongly. Progress and warnings go to standard error, results to standard
output; `--quiet` leaves the results only, `--json` prints them for programs.

"""
_CONFIGURATION = """# Configuration

Every setting of a training run. Give any of them in a TOML file by `--config FILE`, in the tables
named here, or on the command line in the long form, such as `--training.batch 8`. Flags win over
the file. A key that is not on this page is refused, with the nearest that is.

```toml
[network]
width = 32

[training]
steps = 2000
batch = 8
```

"""


def pages() -> Mapping[Path, str]:
    """Return the text of each page by its path."""
    return {
        REFERENCE / "commands.md": _MADE + _COMMANDS + commands(),
        REFERENCE / "configuration.md": _MADE + _CONFIGURATION + configuration(),
    }


def commands() -> str:
    """List every command with its arguments, one section a command."""
    text = build_app().generate_docs(heading_level=2)
    _, _, listed = text.partition("**Commands**:\n\n")  # the table of contents would be a second
    return re.sub(r"(?m)^#{3,} crosspatch", "## crosspatch", listed).strip() + "\n"


def configuration() -> str:
    """List every setting, one table of Markdown for each table of TOML."""
    parts = []
    for table, fields in groupby(schema_fields(), key=lambda field: field[0]):
        says = Settings.model_fields[table].annotation.__doc__.replace("``", "`")
        rows = [f"| `{key}` | {_shown(default)} | {text} |" for _, key, default, text in fields]
        parts.append(
            f"## [{table}]\n\n{says}\n\n| setting | default | what it does |\n| --- | --- | --- |\n"
            + "\n".join(rows)
        )
    return "\n\n".join(parts) + "\n"


def _shown(default: object) -> str:
    if default is None:
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8", newline="\n")
