"""What the commands take: one function for each, which adds its options to a parser."""
