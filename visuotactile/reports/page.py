"""Pages: HTML that needs nothing else, no script, no font, no address outside it."""

from __future__ import annotations

import jinja2


def environment(package: str) -> jinja2.Environment:
    """The templates of a package, and the frame that all pages share.

    Every value is escaped: an object may be called `<script>`.
    """
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package), jinja2.PackageLoader("visuotactile.reports")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
