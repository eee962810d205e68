"""What is searched: networks and images of a run, arrays, costs, and the space of designs."""
