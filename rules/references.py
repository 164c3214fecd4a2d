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

SONG_2000 = """@article{song2000competitive,
  title = {Competitive {Hebbian} learning through spike-timing-dependent synaptic plasticity},
  author = {Song, Sen and Miller, Kenneth D. and Abbott, L. F.},
  journal = {Nature Neuroscience}, volume = {3}, pages = {919--926}, year = {2000}, doi = {10.1038/78829}
}"""

GUETIG_2003 = """@article{guetig2003learning,
  title = {Learning input correlations through nonlinear temporally asymmetric {Hebbian} plasticity},
  author = {G{\\"u}tig, Robert and Aharonov, Ranit and Rotter, Stefan and Sompolinsky, Haim},
  journal = {Journal of Neuroscience}, volume = {23}, number = {9}, pages = {3697--3714}, year = {2003},
  doi = {10.1523/JNEUROSCI.23-09-03697.2003}
}"""

MORRISON_2007 = """@article{morrison2007spike,
  title = {Spike-timing-dependent plasticity in balanced random networks},
  author = {Morrison, Abigail and Aertsen, Ad and Diesmann, Markus},
  journal = {Neural Computation}, volume = {19}, number = {6}, pages = {1437--1467}, year = {2007},
  doi = {10.1162/neco.2007.19.6.1437}
}"""

DIEHL_2015 = """@article{diehl2015unsupervised,
  title = {Unsupervised learning of digit recognition using spike-timing-dependent plasticity},
  author = {Diehl, Peter U. and Cook, Matthew},
  journal = {Frontiers in Computational Neuroscience}, volume = {9}, pages = {99}, year = {2015},
  doi = {10.3389/fncom.2015.00099}
}"""

KAISER_2020 = """@article{kaiser2020synaptic,
  title = {Synaptic plasticity dynamics for deep continuous local learning ({DECOLLE})},
  author = {Kaiser, Jacques and Mostafa, Hesham and Neftci, Emre},
  journal = {Frontiers in Neuroscience}, volume = {14}, pages = {424}, year = {2020}, doi = {10.3389/fnins.2020.00424}
}"""

PFISTER_2006 = """@article{pfister2006triplets,
  title = {Triplets of spikes in a model of spike timing-dependent plasticity},
  author = {Pfister, Jean-Pascal and Gerstner, Wulfram},
  journal = {Journal of Neuroscience}, volume = {26}, number = {38}, pages = {9673--9682}, year = {2006},
  doi = {10.1523/JNEUROSCI.1425-06.2006}
}"""

IZHIKEVICH_2007 = """@article{izhikevich2007solving,
  title = {Solving the distal reward problem through linkage of {STDP} and dopamine signaling},
  author = {Izhikevich, Eugene M.},
  journal = {Cerebral Cortex}, volume = {17}, number = {10}, pages = {2443--2452}, year = {2007},
  doi = {10.1093/cercor/bhl152}
}"""

FREMAUX_2016 = """@article{fremaux2016neuromodulated,
  title = {Neuromodulated spike-timing-dependent plasticity, and theory of three-factor learning rules},
  author = {Fr{\\'e}maux, Nicolas and Gerstner, Wulfram},
  journal = {Frontiers in Neural Circuits}, volume = {9}, pages = {85}, year = {2016}, doi = {10.3389/fncir.2015.00085}
}"""

VOGELS_2011 = """@article{vogels2011inhibitory,
  title = {Inhibitory plasticity balances excitation and inhibition in sensory pathways and memory networks},
  author = {Vogels, T. P. and Sprekeler, H. and Zenke, F. and Clopath, C. and Gerstner, W.},
  journal = {Science}, volume = {334}, number = {6062}, pages = {1569--1573}, year = {2011},
  doi = {10.1126/science.1211095}
}"""

NEFTCI_2019 = """@article{neftci2019surrogate,
  title = {Surrogate gradient learning in spiking neural networks: bringing the power of gradient-based optimization
           to spiking neural networks},
  author = {Neftci, Emre O. and Mostafa, Hesham and Zenke, Friedemann},
  journal = {IEEE Signal Processing Magazine}, volume = {36}, number = {6}, pages = {51--63}, year = {2019},
  doi = {10.1109/MSP.2019.2931595}
}"""

ZENKE_2018 = """@article{zenke2018superspike,
  title = {{SuperSpike}: Supervised learning in multilayer spiking neural networks},
  author = {Zenke, Friedemann and Ganguli, Surya},
  journal = {Neural Computation}, volume = {30}, number = {6}, pages = {1514--1541}, year = {2018},
  doi = {10.1162/neco_a_01086}
}"""
