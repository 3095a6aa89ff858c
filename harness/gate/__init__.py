"""Gates: rules that look at all replicates of a setting and say why they will not let it pass."""
