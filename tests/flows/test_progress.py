"""What the progress display writes where there is no terminal, and where there is one."""

import io

from rich.console import Console

from flows.progress import SECONDS_BETWEEN_LINES, Lines, shown


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_lines_come_at_the_start_every_few_seconds_and_at_the_end():
    written, clock = [], Clock()
    lines = Lines(written.append, clock)
    for done in range(101):
        lines("ingest", done, 100)
        clock.now += SECONDS_BETWEEN_LINES / 20
    assert written[0] == "ingest: 0/100"
    assert written[-1].startswith("ingest: 100/100")
    assert 5 <= len(written) <= 8


def test_a_line_gives_rate_and_time_left():
    written, clock = [], Clock()
    lines = Lines(written.append, clock)
    lines("align", 0, 300)
    clock.now += 20.0
    lines("align", 100, 300)
    assert written[-1] == "align: 100/300, 5.0/s, 40 s left"
    clock.now += 40.0
    lines("align", 300, 300)
    assert written[-1] == "align: 300/300, 5.0/s, took 60 s"


def test_a_stage_of_ten_hours_says_little():
    written, clock = [], Clock()
    lines = Lines(written.append, clock)
    for second in range(36_000):
        lines("verify", second, 36_000)
        clock.now += 1.0
    assert len(written) < 150


def test_seconds_of_audio_are_given_in_multiples_of_real_time():
    written, clock = [], Clock()
    lines = Lines(written.append, clock)
    lines("extract (s of audio)", 0, 600)
    clock.now += 20.0
    lines("extract (s of audio)", 240, 600)
    assert written[-1] == "extract (s of audio): 240/600, 12.0 x real time, 30 s left"
    terminal = io.StringIO()
    with shown(Console(file=terminal, force_terminal=True, width=80)) as report:
        report("extract (s of audio)", 0, 4)
        report("extract (s of audio)", 1, 4)
        report("extract (s of audio)", 3, 4)
    assert "x real time" in terminal.getvalue()


def test_a_finished_stage_is_said_once():
    written = []
    lines = Lines(written.append)
    for _ in range(3):
        lines("verify", 4, 4)
    assert written == ["verify: 4/4"]


def test_items_that_were_there_at_the_start_do_not_count_for_the_rate():
    written, clock = [], Clock()
    lines = Lines(written.append, clock)
    lines("ingest", 90, 100)
    clock.now += 10.0
    lines("ingest", 95, 100)
    assert written[-1] == "ingest: 95/100, 0.5/s, 10 s left"


def test_a_terminal_gets_bars_and_a_file_gets_lines():
    terminal = io.StringIO()
    with shown(Console(file=terminal, force_terminal=True, width=120)) as report:
        report("extract", 3, 4)
    assert "3/4" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()
    file = io.StringIO()
    with shown(Console(file=file)) as report:
        report("extract [a]", 4, 4)
    assert file.getvalue() == "extract [a]: 4/4\n"


def test_slow_items_are_given_in_seconds_each():
    written, clock = [], Clock()
    lines = Lines(written.append, clock)
    lines("train (runs)", 0, 10)
    clock.now += 100.0
    lines("train (runs)", 2, 10)
    assert written[-1] == "train (runs): 2/10, 50 s each, 400 s left"
