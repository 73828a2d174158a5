"""The networks of the book, one file a family."""
