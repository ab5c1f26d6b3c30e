"""Start a command and tell in JSON, as the last line of standard error, what it took.

launch.py COMMAND ARGUMENT...

A script of its own, since the peak memory that the kernel reports of a process is never less than its parent's: this
parent is smaller than anything measured (run it with `-I -S`). The seconds begin when the process does.
"""

import os
import sys
import time

began = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - began
code = os.waitstatus_to_exitcode(status)
cpu = usage.ru_utime + usage.ru_stime
line = f'\n{{"seconds": {seconds}, "cpu": {cpu}, "peak": {usage.ru_maxrss * 1024}, "status": {code}}}\n'
os.write(2, line.encode())
