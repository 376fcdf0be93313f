"""Markdown tables keep their shape whatever their cells hold."""

from visuotactile.reports.markdown import made_with, one_line, table


def test_no_cell_breaks_out_of_its_table():
    hostile = "a|b\n<script>`&"
    lines = table(["name", hostile], [[hostile, "1"]]).splitlines()
    assert len(lines) == 3
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines)
    assert lines[1] == "| --- | ---: |"
    assert one_line(hostile) == "a|b &lt;script&gt;\\`&amp;"


def test_the_closing_section_has_the_command_on_one_line_and_the_versions():
    found = made_with({"command": "visuotactile\n probe", "versions": {"python": "3.12", "numpy": "2.0"}})
    assert found == ["## Made with", "    visuotactile probe", "python 3.12, numpy 2.0"]
