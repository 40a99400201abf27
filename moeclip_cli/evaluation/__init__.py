"""Evaluation of models: metrics, the paper's and the deployed protocol, published results."""
