"""The pytest plugin: options, markers, and the pipeline as fixtures. Nothing heavy loads before it is needed."""
