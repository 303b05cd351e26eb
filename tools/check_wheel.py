"""Look into a wheel: everything that the installed package needs is there, and nothing else."""

import sys
import zipfile
from pathlib import Path

source = Path(__file__).parents[1] / "src"
(wheel,) = sys.argv[1:]
held = set(zipfile.ZipFile(wheel).namelist())
wanted = {
    path.relative_to(source).as_posix()
    for path in source.rglob("*")
    if path.is_file() and path.suffix != ".pyc"
}
missing = sorted(wanted - held)
strangers = sorted(name for name in held - wanted if ".dist-info/" not in name)
templates = [name for name in held if "/templates/" in name]
if missing or strangers or "crosspatch/py.typed" not in held or not templates:
    sys.exit(f"{wheel}: missing {missing}, not ours {strangers}, templates {templates}")
sys.stdout.write(f"{wheel}: {len(held)} files, {len(templates)} templates, py.typed\n")
