"""What the notebooks are made with: checks of the learner's own code, and the look of the plots.

`checks.py` runs a function and says in words what is wrong with it; the checks of notebook NN are
in `nNN_NAME.py`. `style.py` sets the look of the plots.
"""
