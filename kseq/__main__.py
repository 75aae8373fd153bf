"""`python -m kseq` is the command `kseq`."""

import sys

from kseq.cli import main

sys.exit(main())
