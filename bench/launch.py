"""Run a command, and print its time, CPU time and peak memory as JSON in the last line of standard error.

launch.py COMMAND ARGUMENT...

This is a separate script because the kernel never reports less peak memory for a process than for its parent: this
parent is smaller than anything measured (run it with `-I -S`). The time includes the start of the process.
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
