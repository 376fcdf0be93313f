"""Numbers estimated from clips of touch, such as the hardness of a pressed sample, each with an interval."""
