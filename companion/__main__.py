"""`python -m companion`: see companion/workshop."""

import sys

from companion.workshop.commands import main

sys.exit(main(sys.argv[1:]))
