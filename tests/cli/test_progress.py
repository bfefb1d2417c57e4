"""What commands say on stderr: notes, and how long they take where they cannot draw a bar."""

from __future__ import annotations

import pytest

from cspbench.cli.terminal.progress import Lines, Terminal, duration


def test_lines_come_after_half_a_minute_and_then_ever_later() -> None:
    """100 images at one a second; the clock starts at 5 s."""
    said: list[str] = []
    time = [5.0]
    lines = Lines("checking", 100, said.append, lambda: time[0])
    for done in range(1, 101):
        time[0] = 5.0 + done
        lines.reach(done, "a.jpg")
    assert said == ["checking: 30 of 100, about 70 s left", "checking: 60 of 100, about 40 s left"]


def test_a_short_command_says_nothing() -> None:
    said: list[str] = []
    time = [0.0]
    lines = Lines("checking", 100, said.append, lambda: time[0])
    for done in range(101):
        time[0] = done * 0.29
        lines.reach(done)
    assert said == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (9000, "2.5 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_note_is_one_line_whatever_a_file_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().note("wrote a\nb\x1b[31m\u202e.json")
    Terminal().advise("interrupted. To resume:", "cspbench score 'a\nb'")
    expected = "cspbench: wrote a\\nb\\x1b[31m\\u202e.json\ncspbench: interrupted. To resume:\ncspbench score 'a\nb'\n"
    assert capsys.readouterr().err == expected
