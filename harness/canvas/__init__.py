"""A digit drawn by hand: the page to draw it on, and the picture that a model of MNIST is shown of it."""
