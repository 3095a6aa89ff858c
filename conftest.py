"""pytest's own tool for testing plugins; it has to be named here, at the top."""

pytest_plugins = ["pytester"]
