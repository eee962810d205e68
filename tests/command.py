"""Command lines, started inside the test's process."""


def run_main(main, monkeypatch, *arguments):
    """Return what `main` returns for the arguments of a command line."""
    monkeypatch.setattr("sys.argv", ["command", *map(str, arguments)])
    return main()
