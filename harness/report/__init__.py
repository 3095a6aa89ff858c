"""What a session tells when it is over."""
