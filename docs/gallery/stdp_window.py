"""
STDP's window
=============

Pairs.
"""

import matplotlib.pyplot as plt
import numpy as np

plt.plot(np.arange(4))
print("hi")
