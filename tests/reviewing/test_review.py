"""``crosspatch review`` as somebody types it."""

import json
import struct
import subprocess
import sys
import urllib.request

import numpy as np
import pytest

from crosspatch import images
from crosspatch.cli import main
from crosspatch.errors import CrosspatchError
from crosspatch.files import locked
from crosspatch.reviewing.server import listen
from crosspatch.reviewing.store import FOLDER, Store


def test_a_port_in_use_is_said_in_a_sentence(maps, capsys):
    taken = listen(0)
    try:
        port = taken.getsockname()[1]
        assert main(["review", str(maps), "--port", str(port)]) == 1
    finally:
        taken.close()
    said = capsys.readouterr().err
    assert f"port {port} is in use" in said
    assert "--port" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("port", ["-1", "70000"])
def test_a_port_that_is_none_is_said(maps, port, capsys):
    assert main(["review", str(maps), f"--port={port}"]) == 1
    assert f"port {port} cannot be used" in capsys.readouterr().err


def test_only_this_machine_is_listened_to():
    taken = listen(0)
    try:
        assert taken.getsockname()[0] == "127.0.0.1"
    finally:
        taken.close()


def test_one_folder_is_reviewed_by_one_process(maps, capsys):
    with locked(maps / FOLDER, "reviewing"):
        assert main(["review", str(maps), "--port", "0"]) == 1
    assert "another process is reviewing here" in capsys.readouterr().err


def test_a_folder_that_is_none_is_said(tmp_path, capsys):
    assert main(["review", str(tmp_path)]) == 1
    assert "neither a predictions folder" in capsys.readouterr().err


def test_the_data_set_is_made_by_the_command_too(maps, open_desk, tmp_path, capsys):
    desk = open_desk(maps)
    desk.decide(0, 0, "accepted", "")
    out = tmp_path / "reviewed"
    assert main(["review", str(maps), "--out", str(out), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["subjects"] == 1
    assert (out / "dataset.toml").is_file()
    assert main(["review", str(maps), "--overwrite"]) == 1
    assert "--overwrite goes with --out" in capsys.readouterr().err


def test_ctrl_c_is_the_way_to_end_it(maps, monkeypatch, capsys):
    def serve(folder, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr("crosspatch.workflows.review.review", serve)
    assert main(["review", str(maps)]) == 0
    assert "everything is kept" in capsys.readouterr().err


@pytest.mark.slow
def test_a_server_that_is_killed_has_kept_what_it_acknowledged(maps):
    """Ten changes, one of them cut short: what was answered is there, and nothing is broken."""
    command = "import sys; from crosspatch.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "review", str(maps), "--port", "0", "--json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    link = json.loads(process.stdout.readline())["link"]
    address, _, token = link.partition("/?token=")
    port = address.rpartition(":")[2]
    headers = {"Origin": address, "Cookie": f"crosspatch-review-{port}={token}"}
    acknowledged = 0
    for version in range(10):
        half = 96 * 80 // 2
        runs = [(half, version % 2), (half, 1 - version % 2)]
        changes = struct.pack("<II", 0, 2) + b"".join(
            struct.pack("<HBB", length - 1, value, 0) for length, value in runs
        )
        request = urllib.request.Request(
            f"{address}/api/subjects/0/mask?version={version}",
            data=changes, method="PATCH", headers=headers,
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=60) as answer:
            acknowledged = json.load(answer)["version"]
    process.kill()
    process.wait()
    again = Store(maps / FOLDER, who="anna")
    (name,) = again.states
    assert again.state(name).version == acknowledged == 10
    assert again.said == []
    mask = images.read_mask(again.mask_path(name)).ravel()
    assert np.array_equal(mask, np.repeat([1, 0], 96 * 80 // 2))
    with pytest.raises(CrosspatchError):
        again.decide(name, 9, "accepted", "")
