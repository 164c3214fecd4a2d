"""BibTeX entries that several rules, third factors and models cite."""

BELLEC_2020 = """@article{bellec2020solution,
  title = {A solution to the learning dilemma for recurrent networks of spiking neurons},
  author = {Bellec, Guillaume and Scherr, Franz and Subramoney, Anand and Hajek, Elias and Salaj, Darjan and
            Legenstein, Robert and Maass, Wolfgang},
  journal = {Nature Communications}, volume = {11}, pages = {3625}, year = {2020}, doi = {10.1038/s41467-020-17236-y}
}"""

DARUWALLA_2024 = """@article{daruwalla2024information,
  title = {Information bottleneck-based {Hebbian} learning rule naturally ties working memory and synaptic updates},
  author = {Daruwalla, Kyle and Lipasti, Mikko},
  journal = {Frontiers in Computational Neuroscience}, volume = {18}, pages = {1240348}, year = {2024},
  doi = {10.3389/fncom.2024.1240348}
}"""

WIDROW_1960 = """@inproceedings{widrow1960adaptive,
  title = {Adaptive switching circuits}, author = {Widrow, Bernard and Hoff, Marcian E.},
  booktitle = {1960 IRE WESCON Convention Record}, pages = {96--104}, year = {1960}
}"""

HOERZER_2014 = """@article{hoerzer2014emergence,
  title = {Emergence of complex computational structures from chaotic neural networks through reward-modulated
           {Hebbian} learning},
  author = {Hoerzer, Gregor M. and Legenstein, Robert and Maass, Wolfgang},
  journal = {Cerebral Cortex}, volume = {24}, number = {3}, pages = {677--690}, year = {2014},
  doi = {10.1093/cercor/bhs348}
}"""
