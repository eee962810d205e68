"""`python -m search.report RUN_FOLDER`."""

from hw.common.errors import run_command_line
from search.report.page import main

if __name__ == "__main__":
    run_command_line(main)
