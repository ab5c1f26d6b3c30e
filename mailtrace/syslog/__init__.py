"""Parse the frame of a log line: time, year, time zone, host and program."""
