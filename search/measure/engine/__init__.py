"""Where tasks are done: threads of this process, or a cluster. Results are the same."""
