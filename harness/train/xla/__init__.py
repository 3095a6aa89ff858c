"""Engine ``xla``: an MXNet symbol trained by XLA, many trials as one program.

Nothing here imports MXNet: a graph comes in as the text of ``Symbol.tojson()``, weights go out as numpy arrays. So it
runs on devices, and beside versions of numpy, that MXNet cannot use.
"""
