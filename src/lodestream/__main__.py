"""`python -m lodestream`: the command line, where its script is not on the path."""

from lodestream.cli.main import main

if __name__ == "__main__":
    main()
