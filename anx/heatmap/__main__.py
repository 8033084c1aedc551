"""`python -m anx.heatmap`."""

from anx.heatmap.command import main

if __name__ == "__main__":
    main()
