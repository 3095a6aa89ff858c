"""What tries to make a deployment leak: faults in every call, death at every call, and strangers to be left alone."""
