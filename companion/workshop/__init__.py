"""What is needed to make a result again, outside the notebooks: `python -m companion`.

A recipe (companion/recipes) says what is trained; a run is its folder on the disk.
"""
