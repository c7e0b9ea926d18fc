"""How often the steps of a simulated history are labelled right, where it is known what happened."""
