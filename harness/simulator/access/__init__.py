"""Who may do what in the simulated account: which permissions a request needs, and whether IAM's policies give them."""
