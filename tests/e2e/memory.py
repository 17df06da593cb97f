"""memory.py PROGRAM: runs it and prints the most kilobytes it had resident."""

import resource
import subprocess
import sys

subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
