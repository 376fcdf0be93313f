"""Helpers for tests of the HTML pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

HOSTILE = '<script>alert("x")</script>|`&'


class Page(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def outside(text: str) -> list[str]:
    """Whatever in a page would make a browser ask for something else."""
    page = Page(text)
    asked = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster") and not value.startswith("data:")
    ]
    return asked + re.findall(r"https?://|@import|url\((?!\$\{sheet\})", text)
