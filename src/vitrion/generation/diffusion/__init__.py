"""A score-based generative model of crystals: network, noise, sampler, training."""
