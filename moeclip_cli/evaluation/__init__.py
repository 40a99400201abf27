"""How good a model is: metrics, the paper's protocol, the published table."""
