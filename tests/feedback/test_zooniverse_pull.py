import logging
import random
import threading

import pytest

from crosspatch.cli import main
from crosspatch.errors import CrosspatchError, InputError, SettingsError
from crosspatch.feedback.zooniverse.accounts import find_account
from crosspatch.feedback.zooniverse.connection import Connection, NotAllowedError, Patience
from crosspatch.feedback.zooniverse.exports import KINDS
from crosspatch.files import read_toml
from crosspatch.workflows.consensus import consensus
from crosspatch.workflows.info import info
from crosspatch.workflows.zooniverse import pull
from exports import box, row, write
from panoptes_server import OTHERS_PROJECT, PASSWORD, PROJECT, WORKFLOW, Server

QUICK = Patience(tries=4, first_wait=0.01, longest_wait=0.05, timeout=5, poll=0.01)
SUBJECTS = "subject_id,project_id,metadata,locations\n7,12,{},{}\n"
WORKFLOWS = "workflow_id,version,minor_version,tasks,strings\n34,11,14,{},{}\n"


@pytest.fixture
def server(monkeypatch, tmp_path):
    with Server() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        rows = [row(number, user=f"v{number}", marks=[box(2, 2, 8, 6)]) for number in range(1, 40)]
        text = write(tmp_path / "source.csv", rows).read_text()
        running.export("classifications", text)
        running.export("subjects", SUBJECTS)
        running.export("workflows", WORKFLOWS)
        running.text = text
        yield running


def run(tmp_path, **settings):
    return pull(PROJECT, out=tmp_path / "project", patience=QUICK, **settings)


def test_a_pull_brings_three_exports_that_consensus_takes_as_they_are(server, tmp_path):
    made = run(tmp_path)
    assert (tmp_path / "project/classifications.csv").read_text() == server.text
    assert (tmp_path / "project/subjects.csv").read_text() == SUBJECTS
    assert (tmp_path / "project/workflows.csv").read_text() == WORKFLOWS
    table = read_toml(tmp_path / "project/exports.toml")
    assert table["slug"] == "kelp/kelp"
    assert info(made).facts["slug"] == "kelp/kelp"
    assert table["exports"]["subjects"]["bytes"] == len(SUBJECTS)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert sorted(server.world.exports_asked) == sorted(f"{kind}_export" for kind in KINDS)
    masks = consensus(made, out=tmp_path / "masks", size="20x10")
    assert any("39 classifications read" in sentence for sentence in masks.said)


def test_exports_as_zooniverse_stores_them_are_unpacked(server, tmp_path):
    server.world.gzipped = True
    run(tmp_path)
    assert (tmp_path / "project/classifications.csv").read_text() == server.text


def test_a_workflow_has_classifications_of_its_own(server, tmp_path):
    server.export("classifications", server.text.split("\n")[0] + "\n", f"workflows/{WORKFLOW}")
    run(tmp_path, workflow=WORKFLOW)
    assert len((tmp_path / "project/classifications.csv").read_text().splitlines()) == 1


def test_it_waits_for_exports_and_says_so(server, tmp_path):
    server.world.making = 3
    said = []
    run(tmp_path, progress=lambda what, done, total: said.append(what))
    assert any("waiting for the classifications export" in what for what in said)
    assert any("downloading subjects" in what for what in said)


def test_an_export_that_takes_too_long_is_waited_for_by_the_next_run(server, tmp_path):
    server.world.making = 10**6
    with pytest.raises(CrosspatchError, match="still being made"):
        run(tmp_path, wait=0.0005)
    server.world.making = 0
    run(tmp_path)
    assert server.world.exports_asked.count("classifications_export") == 1  # not asked again


def test_existing_exports_are_taken_without_asking_for_new_ones(server, tmp_path):
    with pytest.raises(CrosspatchError, match="leave out --existing"):
        run(tmp_path, existing=True)
    for export in server.world.exports.values():
        export["made"] = True
    run(tmp_path, existing=True)
    assert server.world.exports_asked == []


def test_a_download_goes_on_where_it_broke_off(server, tmp_path):
    server.trouble("GET /storage/classifications", "cut", times=3)
    run(tmp_path)
    assert (tmp_path / "project/classifications.csv").read_text() == server.text
    assert server.count("GET /storage/classifications") == 4


def test_a_download_goes_on_in_the_next_run(server, tmp_path):
    server.trouble("GET /storage/classifications", "cut", times=4)
    with pytest.raises(CrosspatchError, match="broke off 4 times"):
        run(tmp_path)
    assert not (tmp_path / "project").exists()
    arrived = (tmp_path / ".project.pull/classifications.part").stat().st_size
    assert len(server.text) / 2 < arrived < len(server.text)
    run(tmp_path)
    assert (tmp_path / "project/classifications.csv").read_text() == server.text


def test_a_file_that_has_changed_on_the_server_is_begun_anew(server, tmp_path):
    server.trouble("GET /storage/classifications", "cut", times=4)
    with pytest.raises(CrosspatchError):
        run(tmp_path)
    other = server.text.replace("v1", "w1")
    server.world.exports[f"projects/{PROJECT}/classifications_export"]["text"] = other
    run(tmp_path)
    assert (tmp_path / "project/classifications.csv").read_text() == other


def test_a_wrong_checksum_is_never_accepted(server, tmp_path):
    server.world.told_md5 = "AAAAAAAAAAAAAAAAAAAAAA=="
    with pytest.raises(CrosspatchError, match="checksum"):
        run(tmp_path)
    assert not (tmp_path / "project").exists()


def test_something_that_is_no_export_is_refused(server, tmp_path):
    server.export("classifications", "<html>Sign in</html>\n")
    with pytest.raises(InputError, match="lacks the columns classification_id"):
        run(tmp_path)
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize("kind", ["refuse", "lose", "cut"])
def test_broken_lines_are_tried_again(server, tmp_path, kind):
    for pattern in ("POST /api/projects", "GET /api/projects", "POST /oauth"):
        server.trouble(pattern, kind, times=2)
    run(tmp_path)
    assert (tmp_path / "project/classifications.csv").read_text() == server.text


def test_errors_of_the_server_are_tried_again_and_then_given_up(server, tmp_path):
    server.trouble("GET /api/projects", "status", status=500, times=2)
    server.trouble("/users/sign_in", "status", status=503, times=2)
    run(tmp_path)
    server.trouble("GET /api/projects", "status", status=502, times=99)
    with pytest.raises(CrosspatchError, match="answered 502, 4 times; try again later"):
        run(tmp_path, overwrite=True)
    assert (tmp_path / "project/classifications.csv").exists()


def test_it_waits_as_long_as_a_busy_server_asks(server, tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr("time.sleep", waited.append)
    server.trouble("POST /api", "status", status=429, headers={"Retry-After": "0"})
    patient = Patience(tries=4, first_wait=0.01, longest_wait=5, poll=0.01)
    server.trouble("GET /api/projects", "status", status=429, headers={"Retry-After": "7"})
    pull(PROJECT, out=tmp_path / "project", patience=patient)
    assert 7.0 in waited
    server.trouble("GET /api/projects", "status", status=429, headers={"Retry-After": "86400"})
    with pytest.raises(CrosspatchError, match="asks to wait 1440 minutes"):
        pull(PROJECT, out=tmp_path / "later", patience=patient)


def test_a_server_that_says_nothing_is_given_up(server, tmp_path):
    server.trouble("GET /api/projects", "slow", seconds=1.0, times=99)
    impatient = Patience(tries=2, first_wait=0.01, timeout=0.1)
    with pytest.raises(CrosspatchError, match="connection broke"):
        pull(PROJECT, out=tmp_path / "project", patience=impatient)


def test_a_slow_server_is_no_error(server, tmp_path):
    server.trouble("/", "slow", seconds=0.1, times=6)
    assert len(run(tmp_path).exports) == 3


def test_a_project_without_rights_is_said(server, tmp_path):
    with pytest.raises(CrosspatchError, match="for its owner and collaborators, and kelp-team"):
        pull(OTHERS_PROJECT, out=tmp_path / "project", patience=QUICK)
    with pytest.raises(CrosspatchError, match="no project 99"):
        pull(99, out=tmp_path / "project", patience=QUICK)
    with pytest.raises(SettingsError, match="by its number"):
        pull("kelp/kelp", out=tmp_path / "project", patience=QUICK)


def test_a_folder_that_is_there_is_not_replaced(server, tmp_path):
    run(tmp_path)
    with pytest.raises(CrosspatchError, match="exists already"):
        run(tmp_path)
    run(tmp_path, overwrite=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/mine.jpg").touch()
    with pytest.raises(CrosspatchError, match="not even --overwrite"):
        pull(PROJECT, out=tmp_path / "photos", patience=QUICK, overwrite=True)


def test_two_pulls_into_one_folder_do_not_mix(server, tmp_path):
    server.trouble("GET /storage/classifications", "slow", seconds=0.5)
    first = threading.Thread(target=run, args=(tmp_path,))
    first.start()
    while not server.count("GET /storage/classifications"):
        pass
    with pytest.raises(CrosspatchError, match="another process is pulling"):
        run(tmp_path)
    first.join()
    assert (tmp_path / "project/classifications.csv").read_text() == server.text


def test_secrets_are_in_no_message_and_in_no_file(server, tmp_path, monkeypatch, capsys, caplog):
    caplog.set_level(logging.DEBUG)
    server.trouble("GET /storage", "cut", times=99)
    with pytest.raises(CrosspatchError) as broken:
        run(tmp_path)
    wrong = "wrong horse"
    monkeypatch.setenv("PANOPTES_PASSWORD", wrong)
    with pytest.raises(NotAllowedError, match="does not let kelp-team in") as refused:
        run(tmp_path)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    written.append(f"{broken.value}{refused.value}{caplog.text}{capsys.readouterr()}".encode())
    for secret in (PASSWORD, wrong, "signed-secret", *server.world.tokens, *server.world.cookies):
        assert not any(secret.encode() in text for text in written), secret
    assert PASSWORD not in repr(find_account(server.environment))


def test_without_an_account_it_says_what_to_set(server, tmp_path, monkeypatch):
    monkeypatch.delenv("PANOPTES_PASSWORD")
    with pytest.raises(NotAllowedError, match="set PANOPTES_USERNAME and PANOPTES_PASSWORD"):
        run(tmp_path)


def test_an_account_is_read_from_the_panoptes_commands_file(tmp_path):
    (tmp_path / ".panoptes").mkdir()
    file = tmp_path / ".panoptes/config.yml"
    file.write_text(
        "endpoint: https://www.zooniverse.org\npassword: 'it''s: \"so\"'\nusername: ann\n"
    )
    account = find_account({}, tmp_path)
    assert (account.username, account.password) == ("ann", 'it\'s: "so"')
    assert account.caesar == "https://caesar.zooniverse.org"
    # Another place, or another name: the stored password is not for them.
    elsewhere = find_account({"PANOPTES_ENDPOINT": "https://example.org"}, tmp_path)
    assert (elsewhere.username, elsewhere.password, elsewhere.caesar) == (None, None, None)
    assert find_account({"PANOPTES_USERNAME": "bob"}, tmp_path).password is None


def test_a_password_is_never_sent_in_the_open():
    with pytest.raises(SettingsError, match="PANOPTES_ENDPOINT must be an https address"):
        find_account({"PANOPTES_ENDPOINT": "http://zooniverse.example.org"})


def test_an_application_signs_in_by_its_secret(server, tmp_path, monkeypatch):
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"PANOPTES_{name}")
    monkeypatch.setenv("PANOPTES_CLIENT_ID", "app")
    monkeypatch.setenv("PANOPTES_CLIENT_SECRET", PASSWORD)
    assert len(run(tmp_path).exports) == 3
    assert server.count("/users/sign_in") == 0
    monkeypatch.setenv("PANOPTES_CLIENT_SECRET", "wrong")
    with pytest.raises(NotAllowedError, match="does not let the application in"):
        run(tmp_path, overwrite=True)


def test_a_token_that_has_run_out_is_renewed(server):
    line = Connection(find_account(), QUICK)
    server.world.tokens.clear()
    assert line.get(f"projects/{PROJECT}").body["projects"][0]["id"] == PROJECT


def test_logging_of_the_whole_program_stays_as_it_was(server):
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    Connection(find_account(), QUICK)
    assert (root.level, list(root.handlers)) == before


def test_pull_on_the_command_line(server, tmp_path, capsys):
    assert main(["zooniverse", "pull", "--project", PROJECT, "--out", str(tmp_path / "p"),
                 "--quiet"]) == 0  # fmt: skip
    assert "give it to crosspatch consensus" in capsys.readouterr().out
    assert main(["zooniverse", "pull", "--project", "99", "--out", str(tmp_path / "q"),
                 "--quiet"]) == 1  # fmt: skip
    assert "no project 99" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(3))
def test_any_mixture_of_troubles_ends_in_whole_files_or_none(server, tmp_path, seed):
    server.dice, server.rate = random.Random(seed), 0.25
    server.dice_kinds = ("refuse", "lose", "cut", "status")
    server.world.gzipped = True
    for _ in range(20):
        try:
            run(tmp_path)
            break
        except CrosspatchError:
            assert not (tmp_path / "project").exists()
    assert (tmp_path / "project/classifications.csv").read_text() == server.text
