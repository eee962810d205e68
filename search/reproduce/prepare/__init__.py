"""From public downloads to the files that steps read."""
