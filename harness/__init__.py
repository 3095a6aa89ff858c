"""Bring your own model to Amazon SageMaker: experiments as plain pytest modules."""
