"""The ground floor: errors, files and progress, importable by every package."""
