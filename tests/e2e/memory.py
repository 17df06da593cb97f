"""memory.py PROGRAM: runs it and prints the most kilobytes that it ever had resident, as /proc says while it runs.

Not getrusage: that counts the moment between fork and exec too, when the child still is Python.
"""

import pathlib
import re
import subprocess
import sys

program = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
peak = 0
while program.poll() is None:
    status = pathlib.Path(f"/proc/{program.pid}/status").read_text()
    name, mark = re.search(r"Name:\s+(\S+)", status), re.search(r"VmHWM:\s+(\d+)", status)
    if mark and name.group(1) == "pgmarch":
        peak = int(mark.group(1))
assert program.returncode == 0 and peak > 0
print(peak)
