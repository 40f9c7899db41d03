"""`python -m visuomotor.cli` is `visuomotor`."""

import sys

from visuomotor.cli import main

sys.exit(main())
