"""The stages of a run, a file each: functions from frozen records to a frozen record.

`search.pipeline` lists them. But for the first two, which read, none touches a file, and none
prints or looks at a clock: what is told, kept and timed is handed in from there.
"""
