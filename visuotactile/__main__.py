"""`python -m visuotactile` is the command `visuotactile`."""

from visuotactile.cli import main

raise SystemExit(main())
