"""How the product is packed and started: MAP manifests and image, trial stack, Kubernetes."""
