"""`lodestream doctor`: looks at settings, files, libraries and the store, changes nothing, and says what is wrong."""
