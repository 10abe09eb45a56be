"""`python -m pcapng_utils`."""

import sys

from pcapng_utils.cli import main

sys.exit(main())
