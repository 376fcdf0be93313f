"""Text on the terminal is printed as it is."""

from visuotactile.progress import track
from visuotactile.reports.terminal import print_line, print_table


def test_names_in_brackets_are_no_markup_and_intervals_stand_below_their_figures(capsys):
    print_line("[bold]mug[/bold] " + "x" * 200)
    print_table("[red]title", ["method", "AUROC"], [["[b]moco", "0.81 [0.74, 0.88]"]])
    line, *table = capsys.readouterr().out.splitlines()
    assert line == "[bold]mug[/bold] " + "x" * 200
    assert any("[red]title" in each for each in table)
    (figure,) = (n for n, each in enumerate(table) if "[b]moco" in each)
    assert "0.81 " in table[figure]
    assert "[0.74,\u00a00.88]" in table[figure + 1]


def test_progress_is_silent_where_nobody_watches_and_passes_every_item(capsys):
    assert list(track((n for n in range(5)), "counting", 5)) == list(range(5))
    assert list(track([], "nothing")) == []
    assert capsys.readouterr() == ("", "")
