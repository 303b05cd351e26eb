"""Progress and the time left, by a clock that the tests turn: in a terminal, and without one."""

import io
import sys

import pytest

from crosspatch.cli import console
from crosspatch.cli.console import Output, progress_bars
from crosspatch.cli.pace import Pace, in_words


class Clock:
    """Seconds, as a test says."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    """Standard error as a person sees it."""

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(console, "monotonic", clock)
    return clock


def shown_on(monkeypatch):
    """Put a terminal in the place of standard error; called in a test, as pytest takes it back."""
    stream = Terminal()
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


# The pace


def test_steps_of_minutes_have_a_time_left():
    pace = Pace(0, 10, now=0)
    assert pace.left(now=100) is None  # nothing has ended yet
    pace.note(1, 10, now=200)
    assert pace.left(now=200) == 1800  # nine more
    pace.note(2, 10, now=500)
    assert pace.left(now=500) == 2000  # eight, of 250 s each


def test_what_was_done_before_is_no_part_of_the_pace():
    pace = Pace(90, 100, now=0)
    pace.note(92, 100, now=600)
    assert pace.left(now=600) == 8 * 300


def test_steps_that_end_together_count_as_several():
    pace = Pace(0, 8, now=0)
    for done in (1, 2):  # two workers
        pace.note(done, 8, now=300)
    assert pace.left(now=300) == 6 * 150


def test_the_time_left_falls_during_a_step_and_holds_still_where_it_takes_long():
    pace = Pace(0, 4, now=0)
    pace.note(1, 4, now=100)
    assert pace.left(now=140) == 300 - 40
    assert pace.left(now=500) == 300 - 100


def test_work_that_is_given_up_is_no_longer_waited_for():
    pace = Pace(0, 10, now=0)
    pace.note(2, 10, now=100)
    pace.note(2, 6, now=100)
    assert pace.left(now=100) == 4 * 50


def test_nothing_is_left_at_the_end():
    pace = Pace(0, 2, now=0)
    pace.note(2, 2, now=100)
    assert (pace.ended, pace.taken, pace.left(now=900)) == (True, 100, 0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 minutes"), (5399, "90 minutes"), (9000, "2.5 hours"), (86400 * 4, "4 days")],
)
def test_times_are_said_as_people_say_them(seconds, words):
    assert in_words(seconds) == words


# In a terminal


def test_a_terminal_shows_the_time_left_of_slow_steps(clock, monkeypatch):
    terminal = shown_on(monkeypatch)
    with progress_bars(Output()) as progress:
        progress("runs  7 of 14; steps", 70, 140)
        clock.now += 290  # more than the half minute that a bar usually looks back
        progress("runs  8 of 14; steps", 80, 140)
    shown = terminal.getvalue()
    assert "runs  8 of 14; steps" in shown
    assert " 80/140" in shown
    assert "0:29:00" in shown


def test_a_stage_that_begins_anew_has_a_pace_of_its_own(clock, monkeypatch):
    terminal = shown_on(monkeypatch)
    with progress_bars(Output()) as progress:
        progress("predicting", 0, 4)
        clock.now += 4
        progress("predicting", 4, 4)
        progress("predicting", 0, 4)  # another scene
        clock.now += 60
        progress("predicting", 1, 4)
    assert "0:03:00" in terminal.getvalue()


# Without one


def test_without_a_terminal_slow_work_says_now_and_then_how_far_it_is(clock, capsys):
    with progress_bars(Output(json=True)) as progress:
        for done in range(5):
            progress(f"runs  {done} of 5; steps", done * 10, 50)
            clock.now += 200
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "runs  2 of 5; steps: 20 of 50, about 10 minutes left",
        "runs  4 of 5; steps: 40 of 50, about 3 minutes left",
    ]
    assert said.out == ""


def test_without_a_terminal_quick_work_says_nothing(clock, capsys):
    with progress_bars(Output()) as progress:
        for done in range(1000):
            progress("packing", done, 999)
            clock.now += 0.299
    assert capsys.readouterr() == ("", "")


def test_what_is_to_be_quiet_says_nothing_however_long_it_takes(clock, capsys):
    with progress_bars(Output(quiet=True)) as progress:
        for done in range(5):
            progress("runs", done, 5)
            clock.now += 1000
    assert capsys.readouterr() == ("", "")


def test_a_log_on_a_full_disk_does_not_end_the_work(clock, monkeypatch):
    class Full(io.StringIO):
        tries = 0

        def write(self, text):
            self.tries += 1
            raise OSError(28, "No space left on device")

    full = Full()
    monkeypatch.setattr(sys, "stderr", full)
    with progress_bars(Output()) as progress:
        clock.now += 1000
        progress("runs", 1, 2)
    assert full.tries == 1
