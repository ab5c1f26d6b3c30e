"""The frame of a log line: host, program, time, year and time zone."""
