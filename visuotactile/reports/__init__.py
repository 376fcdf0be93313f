"""What all reports share: intervals, tables, pages, charts, pictures."""
