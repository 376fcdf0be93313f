"""Parts that all reports share: intervals, Markdown, pages, charts and pictures."""
