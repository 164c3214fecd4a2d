"""BibTeX entries of the neurons that come with the library."""

BELLEC_2018 = """@inproceedings{bellec2018long,
  title = {Long short-term memory and learning-to-learn in networks of spiking neurons},
  author = {Bellec, Guillaume and Salaj, Darjan and Subramoney, Anand and Legenstein, Robert and Maass, Wolfgang},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {31}, year = {2018}
}"""

BRETTE_2005 = """@article{brette2005adaptive,
  title = {Adaptive exponential integrate-and-fire model as an effective description of neuronal activity},
  author = {Brette, Romain and Gerstner, Wulfram},
  journal = {Journal of Neurophysiology}, volume = {94}, number = {5}, pages = {3637--3642}, year = {2005},
  doi = {10.1152/jn.00686.2005}
}"""

IZHIKEVICH_2003 = """@article{izhikevich2003simple,
  title = {Simple model of spiking neurons},
  author = {Izhikevich, Eugene M.},
  journal = {IEEE Transactions on Neural Networks}, volume = {14}, number = {6}, pages = {1569--1572}, year = {2003},
  doi = {10.1109/TNN.2003.820440}
}"""

VOGELS_2005 = """@article{vogels2005signal,
  title = {Signal propagation and logic gating in networks of integrate-and-fire neurons},
  author = {Vogels, Tim P. and Abbott, L. F.},
  journal = {Journal of Neuroscience}, volume = {25}, number = {46}, pages = {10786--10795}, year = {2005},
  doi = {10.1523/JNEUROSCI.3508-05.2005}
}"""

TEETER_2018 = """@article{teeter2018generalized,
  title = {Generalized leaky integrate-and-fire models classify multiple neuron types},
  author = {Teeter, Corinne and Iyer, Ramakrishnan and Menon, Vilas and Gouwens, Nathan and Feng, David and
            Berg, Jim and Szafer, Aaron and Cain, Nicholas and Zeng, Hongkui and Hawrylycz, Michael and
            Koch, Christof and Mihalas, Stefan},
  journal = {Nature Communications}, volume = {9}, pages = {709}, year = {2018}, doi = {10.1038/s41467-017-02717-4}
}"""
