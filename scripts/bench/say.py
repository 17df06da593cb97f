"""Progress, on standard error."""

import sys
import time


def say(text):
    """One line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
